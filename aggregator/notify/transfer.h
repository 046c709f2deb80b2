// One request at a time to one receiver, through libcurl. Belongs to its courier's thread.
#pragma once

#include "aggregator/notify/endpoint.h"
#include "aggregator/notify/lane.h"
#include "aggregator/notify/secrets.h"

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace vigil::notify {

/// A reply is read this far, and no further; one that is judged may repeat the whole message.
inline constexpr std::size_t kMaxReplyBytes = 65'536;
inline constexpr std::size_t kMaxJudgedReplyBytes = 1'048'576;
inline constexpr std::size_t kMostShownBytes =
    16'384;  // more than anybody shows: to look for secrets takes time

class Transfer {
 public:
  Transfer();
  Transfer(Transfer&&) = delete;

  /// Prepares the handle for curl_multi_add_handle. `request` is kept until the next call.
  void prepare(Request request, std::chrono::milliseconds timeout);
  CURL* handle() const { return easy_.get(); }

  /// What the end of the transfer means by its status; nothing when that is good. Status and headers say it
  /// all, also where what follows is cut off or never ends: the message has arrived, and would arrive twice.
  std::optional<Failure> judge(CURLcode code) const;
  /// Of HTTP, as far as it was read; 0 and "" without an answer.
  long status() const;
  const std::string& reply() const { return reply_; }
  /// What may be shown: its beginning, and no secret of the request is in it.
  std::string shown_reply() const {
    return secrets_.cut_from(std::string_view(reply_).substr(0, kMostShownBytes));
  }
  /// Why the transfer did not come to its end.
  std::string broken_by(CURLcode code) const;
  /// What it means by its answer, where its status is good.
  Verdict judge_answer() const;

 private:
  void set_http();
  void set_smtp();
  std::optional<Failure> judge_http(long status) const;
  std::optional<Failure> judge_smtp(CURLcode code, long status) const;
  std::int64_t retry_after_ms() const;
  static std::size_t read_body(char* buffer, std::size_t size, std::size_t count, void* self);
  static std::size_t keep_reply(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t note_header(char* data, std::size_t size, std::size_t count, void* self);

  struct CloseEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  std::unique_ptr<CURL, CloseEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> list_;  // headers or recipients
  Request request_;
  Secrets secrets_;       // of the request
  std::size_t sent_ = 0;  // bytes of the body
  std::string reply_;
  bool has_head_ = false;  // status and headers of the final answer have come whole
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace vigil::notify
