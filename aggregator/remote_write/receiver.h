// POST /api/v1/write: takes requests off HTTP's thread, reads them on one of its own, hands their samples to
// the LocalWriter and answers once all of them are durable.
//
//   204  everything is stored
//   400  the body is no remote_write request, and nothing of it is stored; or some of its samples cannot be
//        stored, all others are, and sending it again would not help
//   413, 415  too large; another Content-Type or Content-Encoding than remote_write's
//   429  this sender sends too much; Retry-After says when to go on
//   503  nothing of it may be taken for stored: busy, disk full, stopping. Retry-After, too
//
// Each answer tells in X-Prometheus-Remote-Write-*-Written what was stored.
#pragma once

#include "aggregator/http/router.h"
#include "aggregator/ingest/local_writer.h"
#include "aggregator/remote_write/config.h"
#include "aggregator/remote_write/metadata_book.h"
#include "aggregator/remote_write/routing.h"
#include "aggregator/remote_write/senders.h"
#include "aggregator/self/registry.h"
#include "common/threads/worker.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace vigil::aggregator::remote_write {

struct Counters {
  explicit Counters(self::Registry& registry);
  void count_answer(unsigned status);

  self::Counter& bytes;
  self::Counter& stored;
  self::Counter& repeated;
  self::Counter& invalid;
  self::Counter& conflicting;
  self::Counter& too_old;
  self::Counter& too_new;
  self::Counter& over_limit;
  self::Counter& exemplars;
  self::Counter& histograms;
  std::map<unsigned, self::Counter*> answers;  // by status; constant after construction
};

class Receiver {
 public:
  /// `writer` and `registry` outlive it.
  Receiver(const RemoteWriteConfig& config, LocalWriter& writer, self::Registry& registry,
           std::function<std::int64_t()> now_ms);
  ~Receiver();

  void add_route(http::Router& router);
  void start() { worker_.start(); }
  /// What is read already is answered, what waits is told to come again.
  void stop();

  const MetadataBook& metadata() const { return metadata_; }
  const Worker& worker() const { return worker_; }

  static constexpr std::size_t kMostWaiting = 256;                         // requests
  static constexpr std::size_t kMostWaitingBytes = std::size_t{64} << 20;  // of them

 private:
  class Answer;
  void take(http::Request request, const http::Responder& responder);
  void read(const http::Request& request, const std::shared_ptr<Answer>& answer);
  void hand_over(const Request& request, const std::string& sender, const std::shared_ptr<Answer>& answer);

  const RemoteWriteConfig config_;
  LocalWriter& writer_;
  const std::function<std::int64_t()> now_ms_;
  Counters counters_;
  Senders senders_;
  MetadataBook metadata_;
  std::atomic<std::size_t> waiting_bytes_ = 0;
  std::atomic<bool> stopping_ = false;
  Worker worker_;  // last: its thread ends before what it touches goes
};

}  // namespace vigil::aggregator::remote_write
