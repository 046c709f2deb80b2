#include "agent/delivery/delivery.h"

#include "agent/delivery/connection.h"
#include "common/clock.h"
#include "common/delivery/backoff.h"
#include "common/log/log.h"

#include <grpcpp/alarm.h>
#include <pthread.h>

#include <random>

namespace vigil::agent {
namespace {

using Time = Session::Time;
using std::chrono::milliseconds;

void* const kWake = nullptr;  // the tag of the alarm; connections use others

constexpr milliseconds kRetryVersion{600'000};  // until somebody upgrades
constexpr milliseconds kRetryDuplicate{10'000};
constexpr int kPatienceWithRejections = 3;

gpr_timespec deadline_in(std::chrono::nanoseconds wait) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait.count(), GPR_TIMESPAN));
}

}  // namespace

/// All that belongs to the delivery's thread, and the inbox others put things into.
class Delivery::Loop {
 public:
  Loop(Delivery& owner, DeliveryOptions options)
      : owner_(owner),
        options_(std::move(options)),
        spools_(options_.spool, options_.identity),
        buffer_(options_.buffer, spools_.take_current()),
        random_(std::random_device{}()) {}

  void run();
  /// On other threads.
  void push(EncodedBatch batch);
  void stop(Time deadline);
  std::size_t waiting() const;

 private:
  void wake_locked();
  void take_inbox();
  Buffer& sending();
  void connect(Time now);
  void pump(Time now);
  void after_end(Time now);
  void delivered(Time now);
  void read_session();
  void give_up_poison();
  milliseconds wait_after(const End& end);
  std::optional<Time> next_deadline() const;
  void handle_timers(Time now);
  bool done(Time now) const;
  void drain();
  void publish();
  double random() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  Delivery& owner_;
  const DeliveryOptions options_;
  Spools spools_;
  Buffer buffer_;
  Backoff backoff_;
  std::mt19937_64 random_;
  grpc::CompletionQueue queue_;
  grpc::Alarm alarm_;
  std::unique_ptr<Connection> connection_;
  Time next_attempt_{};
  DeliveryFigures figures_;
  int rejections_ = 0;  // in a row, without progress between them
  bool complained_ = false;
  std::optional<Time> stop_by_;

  mutable std::mutex inbox_mutex_;  // protects what follows
  std::vector<EncodedBatch> inbox_;
  std::optional<Time> inbox_stop_by_;
  bool wake_pending_ = false;
  bool closed_ = false;  // the queue takes no alarm any more
};

void Delivery::Loop::wake_locked() {
  if (wake_pending_ || closed_) return;
  wake_pending_ = true;
  // A deadline of just now would be rounded up into the future: a timer, and two threads of gRPC's that wake
  // for it.
  alarm_.Set(&queue_, gpr_inf_past(GPR_CLOCK_MONOTONIC), kWake);
}

void Delivery::Loop::push(EncodedBatch batch) {
  const std::lock_guard lock(inbox_mutex_);
  inbox_.push_back(std::move(batch));
  wake_locked();
}

void Delivery::Loop::stop(Time deadline) {
  const std::lock_guard lock(inbox_mutex_);
  inbox_stop_by_ = deadline;
  wake_locked();
}

std::size_t Delivery::Loop::waiting() const {
  const std::lock_guard lock(inbox_mutex_);
  return inbox_.size();
}

void Delivery::Loop::take_inbox() {
  std::vector<EncodedBatch> arrived;
  {
    const std::lock_guard lock(inbox_mutex_);
    wake_pending_ = false;
    arrived.swap(inbox_);
    stop_by_ = inbox_stop_by_;
  }
  for (EncodedBatch& batch : arrived) buffer_.push(std::move(batch));
  spools_.keep_cap(buffer_);
  if (stop_by_ && connection_ && spools_.leftover() == nullptr) connection_->session().leave();
}

void Delivery::Loop::run() {
  ::pthread_setname_np(::pthread_self(), "delivery");
  for (;;) {
    const Time now = std::chrono::steady_clock::now();
    if (done(now)) break;
    handle_timers(now);
    pump(now);
    spools_.sync(buffer_, now);
    publish();
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = next_deadline();
    const gpr_timespec until = deadline ? deadline_in(*deadline - now) : gpr_inf_future(GPR_CLOCK_MONOTONIC);
    if (queue_.AsyncNext(&tag, &ok, until) != grpc::CompletionQueue::GOT_EVENT) continue;
    if (tag == kWake) {
      take_inbox();
      continue;
    }
    connection_->handle(static_cast<Connection::Event>(reinterpret_cast<std::uintptr_t>(tag)), ok,
                        std::chrono::steady_clock::now());
    read_session();
    if (connection_->over()) after_end(std::chrono::steady_clock::now());
  }
  drain();
}

bool Delivery::Loop::done(Time now) const {
  if (!stop_by_) return false;
  // An aggregator that was away just now is not worth waiting for.
  return now >= *stop_by_ || (!connection_ && (complained_ || buffer_.all_durable()));
}

/// Everything gRPC still holds must come back before the connection and the queue may go.
void Delivery::Loop::drain() {
  if (connection_) connection_->end({End::Kind::away, fail(Errc::unavailable, "stopping"), {}});
  {
    const std::lock_guard lock(inbox_mutex_);
    closed_ = true;
  }
  alarm_.Cancel();
  void* tag = nullptr;
  bool ok = false;
  while (connection_ && !connection_->over() && queue_.Next(&tag, &ok)) {
    if (tag == kWake) continue;
    connection_->handle(static_cast<Connection::Event>(reinterpret_cast<std::uintptr_t>(tag)), ok,
                        std::chrono::steady_clock::now());
  }
  connection_.reset();
  queue_.Shutdown();
  while (queue_.Next(&tag, &ok)) {
  }
  publish();
}

void Delivery::Loop::handle_timers(Time now) {
  if (!connection_) {
    if (now >= next_attempt_) connect(now);
    return;
  }
  if (auto silent = connection_->session().check(now)) connection_->end(std::move(*silent));
}

std::optional<Time> Delivery::Loop::next_deadline() const {
  std::optional<Time> next = connection_ ? connection_->session().deadline() : next_attempt_;
  if (connection_ && connection_->ending()) next.reset();  // its events come by themselves
  for (const auto& other : {stop_by_, spools_.next_sync()})
    if (other && (!next || *other < *next)) next = other;
  return next;
}

/// What is being delivered: streams of earlier runs first.
Buffer& Delivery::Loop::sending() {
  Leftover* const old = spools_.leftover();
  return old != nullptr ? old->buffer : buffer_;
}

void Delivery::Loop::connect(Time now) {
  Leftover* const old = spools_.leftover();
  const Identity& identity = old != nullptr ? old->identity : options_.identity;
  connection_ = std::make_unique<Connection>(options_.channel, queue_, Session(sending(), identity, now));
  if (old != nullptr) {
    connection_->session().leave_for_next();
  } else if (stop_by_) {
    connection_->session().leave();
  }
}

void Delivery::Loop::pump(Time now) {
  if (!connection_) return;
  const std::size_t bytes = connection_->pump(now, wall_ms());
  if (bytes == 0) return;
  ++figures_.sent_messages;
  figures_.sent_bytes += bytes;
}

void Delivery::Loop::read_session() {
  const Session& session = connection_->session();
  if (const auto interval = session.delivery_interval()) owner_.interval_ms_ = interval->count();
  if (const auto max_series = session.max_series()) owner_.max_series_ = *max_series;
  if (session.welcomed() && !figures_.connected) {
    figures_.connected = true;
    ++figures_.connects;
    figures_.clock_offset_ms = session.clock_offset().count();
    log::info("delivery", "connected",
              {{"aggregator", options_.channel.address},
               {"durable", sending().durable_seq()},
               {"next", sending().next_seq()},
               {"clock_offset_ms", figures_.clock_offset_ms}});
    complained_ = false;
  }
  if (session.progressed()) {
    backoff_.reset();
    rejections_ = 0;
  }
}

void Delivery::Loop::after_end(Time now) {
  const End end = connection_->reason();
  const bool on_purpose = connection_->closed_after_bye();
  connection_.reset();
  figures_.connected = false;
  if (on_purpose) return delivered(now);
  ++figures_.failures;
  const milliseconds wait = wait_after(end);
  next_attempt_ = now + wait;
  const auto level = complained_ ? log::Level::debug : log::Level::warn;  // once per outage
  log::write(level, "delivery", "not connected",
             {{"aggregator", options_.channel.address}, {"error", end.error}, {"retry_ms", wait.count()}});
  complained_ = true;
  if (end.kind == End::Kind::rejected && ++rejections_ >= kPatienceWithRejections) give_up_poison();
}

/// The stream has come to its end: of an earlier run, or of this one at a stop.
void Delivery::Loop::delivered(Time now) {
  if (spools_.leftover() == nullptr) {
    if (Spool* spool = buffer_.spool()) spool->clear();
    return;
  }
  log::info("spool", "an earlier run's samples are delivered");
  spools_.forget_leftover();
  next_attempt_ = now;
}

/// What was refused again and again will be refused for ever, and would keep back everything after it.
void Delivery::Loop::give_up_poison() {
  rejections_ = 0;
  if (!sending().drop_oldest_group("refused")) return;
  log::error("delivery", "gave up batches the aggregator refuses",
             {{"next_kept", sending().first_kept_seq()}});
  spools_.forget_empty_leftovers();
}

milliseconds Delivery::Loop::wait_after(const End& end) {
  const milliseconds own = backoff_.next(random());
  const milliseconds spread(static_cast<std::int64_t>(1000 * random()));
  switch (end.kind) {
    case End::Kind::duplicate:
      return end.retry_after.value_or(kRetryDuplicate) + spread;
    case End::Kind::version:
      return end.retry_after.value_or(kRetryVersion) + spread;
    case End::Kind::resend:
    case End::Kind::rejected:
    case End::Kind::away:
      break;
  }
  return end.retry_after ? *end.retry_after + spread : own;
}

void Delivery::Loop::publish() {
  figures_.durable_seq = buffer_.durable_seq();
  figures_.dropped_batches = buffer_.dropped_batches();
  figures_.buffered_bytes = buffer_.bytes();
  figures_.spooled_bytes = spools_.bytes(buffer_);
  const std::lock_guard lock(owner_.figures_mutex_);
  owner_.figures_ = figures_;
}

Delivery::Delivery(DeliveryOptions options) : loop_(std::make_unique<Loop>(*this, std::move(options))) {}

Delivery::~Delivery() {
  stop(milliseconds(0));
}

void Delivery::start() {
  thread_ = std::thread([this] { loop_->run(); });
}

void Delivery::push(EncodedBatch batch) {
  loop_->push(std::move(batch));
}

bool Delivery::stuck() const {
  return loop_->waiting() >= kMostWaiting;
}

void Delivery::stop(milliseconds patience) {
  if (!thread_.joinable()) return;
  loop_->stop(std::chrono::steady_clock::now() + patience);
  thread_.join();
}

DeliveryFigures Delivery::figures() const {
  const std::lock_guard lock(figures_mutex_);
  return figures_;
}

}  // namespace vigil::agent
