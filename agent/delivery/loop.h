// What belongs to the delivery's thread, and the inbox others put things into.
#pragma once

#include "agent/delivery/delivery.h"
#include "agent/delivery/line.h"

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <deque>
#include <mutex>
#include <optional>
#include <vector>

namespace vigil::agent {

/// Owned by the delivery. run() is its thread; push(), stop() and waiting() are called by others.
class Delivery::Loop {
 public:
  using Time = Session::Time;

  Loop(Delivery& owner, DeliveryOptions options);

  void run();
  void push(EncodedBatch batch);
  void answer(std::string message);
  void reconnect();
  void greet_with(Greeting greeting);
  void stop(Time deadline);
  std::size_t waiting() const;

 private:
  // The live line.
  void connect(Time now);
  void begin_stream_if_behind(Time now);
  void begin_promised_stream(Time now);
  void begin_stream(Time now);
  void read_live_session();
  void hand_over_answers();
  void live_ended(Time now);
  bool may_leave() const;
  // Back-fill.
  void connect_backfill(Time now);
  bool backfill_may_send() const;
  void read_backfill_session();
  void backfill_ended(Time now);
  // Both.
  void handle(void* tag, bool ok);
  void handle_timers(Time now);
  void pump(Line& line, Time now);
  bool explain();
  void retry(Line& line, const End& end, Time now);
  std::optional<Time> next_deadline() const;
  bool done(Time now) const;
  void drain();
  void wake_locked();
  void take_inbox();
  void publish();

  Delivery& owner_;
  DeliveryOptions options_;  // but for its certificates, constant
  grpc::CompletionQueue queue_;
  grpc::Alarm alarm_;
  Line live_{0x10};
  Line backfill_{0x20};
  OutboxStream* backfilling_ = nullptr;  // what the back-fill's connection delivers
  std::deque<std::string> answers_;      // that no session has
  DeliveryFigures figures_;
  std::optional<Time> stop_by_;
  bool reconnecting_ = false;         // the live connection ends on purpose
  std::optional<Greeting> promised_;  // of a stream that is to begin
  std::size_t left_behind_ = 0;       // batches that newer streams overtook, since that was last said

  mutable std::mutex inbox_mutex_;  // protects what follows
  std::vector<EncodedBatch> inbox_;
  std::vector<std::string> inbox_answers_;
  std::optional<Time> inbox_stop_by_;
  bool inbox_reconnect_ = false;
  std::optional<Greeting> inbox_greeting_;
  bool wake_pending_ = false;
  bool closed_ = false;  // the queue takes no alarm any more

  Outbox outbox_;  // goes first: its disk's thread wakes this one
};

}  // namespace vigil::agent
