// Brings one receiver its messages, on a thread of its own: whatever a receiver does, the others do not wait
// for it.
#pragma once

#include "aggregator/notify/endpoint.h"
#include "aggregator/notify/lane.h"
#include "aggregator/notify/notifier.h"
#include "aggregator/notify/sockets.h"
#include "aggregator/notify/transfer.h"
#include "common/process/program.h"

#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

namespace vigil::notify {

struct CourierOptions {
  std::int64_t give_up_after_ms = 86'400'000;
  std::chrono::milliseconds timeout{10'000};
  Reach http_names = Reach::public_only;  // where names in http:// URLs may lead
  bool logs = true;
};

class Courier {
 public:
  Courier(Endpoint endpoint, const CourierOptions& options, Notifier::Feedback feedback);
  ~Courier();
  Courier(const Courier&) = delete;

  void start();
  /// A message on the wire may finish until begin_stop() is two seconds ago; then its connection is cut.
  void begin_stop();
  void await_stop();
  /// After that: what was not delivered, and the threads.
  std::vector<Row> take_left();
  std::vector<ThreadChange> threads() const;
  /// Goes on counting where another one of the same name ended. Before start().
  void count_from(const ReceiverStats& stats);

  // Any thread:
  void enqueue(std::vector<Row> rows);
  /// What was remembered before; before the rows about it.
  void remember(ThreadChange thread);
  /// What an earlier run gave up is counted, and the receiver fails until it takes something.
  void recall(const GivenUp& lost);
  const Endpoint& endpoint() const { return endpoint_; }
  ReceiverStats stats() const;

 private:
  // The courier's thread:
  void run();
  void take_incoming();
  void send_what_is_due(std::int64_t now_ms);
  void note_fault(const std::string& fault);
  void begin(Request request);
  bool reap();
  void hear(CURLcode code);
  std::optional<Failure> judge(CURLcode code) const;
  void look_at_program();
  void finish(const std::optional<Failure>& failure, std::optional<ThreadChange> thread = {});
  void tell(std::vector<Delivery> deliveries, const std::string& error);
  void pass_on(std::vector<Delivery> deliveries);
  bool may_send(std::chrono::steady_clock::time_point now) const;
  int wait_ms(std::int64_t now_ms) const;

  struct CloseMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  const Endpoint endpoint_;
  const CourierOptions options_;
  const Notifier::Feedback feedback_;
  /// Opened by whoever notes a delivery, perhaps when this is gone.
  struct Gate {
    std::mutex mutex;  // protects courier
    Courier* courier = nullptr;
    std::atomic<int> closed = 0;  // deliveries that are not noted yet
  };
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::chrono::steady_clock::time_point gate_opens_at_{};  // whatever happens
  Sockets sockets_;
  std::unique_ptr<CURLM, CloseMulti> multi_;  // the thread takes it along, under mutex_, when it ends
  Transfer transfer_;
  Program program_;  // instead of a transfer, of a receiver that is a command
  Lane lane_;
  std::chrono::milliseconds program_timeout_{};
  std::optional<Shipment> on_the_wire_;
  bool failing_ = false;
  std::string fault_;  // of the message on the wire
  bool fault_is_logged_ = false;
  std::minstd_rand random_{std::random_device{}()};
  std::atomic<bool> stopping_ = false;
  std::chrono::steady_clock::time_point leave_at_{};
  std::thread thread_;

  mutable std::mutex mutex_;  // protects what follows
  std::condition_variable ended_signal_;
  bool ended_ = false;
  std::vector<Row> incoming_;
  std::vector<ThreadChange> remembered_;
  ReceiverStats stats_;
};

}  // namespace vigil::notify
