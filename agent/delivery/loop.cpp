#include "agent/delivery/loop.h"

#include "agent/delivery/identity.h"
#include "common/clock.h"
#include "common/log/log.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostAnswers = 64;  // of actions, while the aggregator is away

void* const kWake = nullptr;  // the tag of the alarm; connections use others

gpr_timespec deadline_in(std::chrono::nanoseconds wait) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait.count(), GPR_TIMESPAN));
}

End other_certificates() {
  return {End::Kind::away, fail(Errc::unavailable, "there are other certificates"), {}};
}

End another_stream() {
  return {End::Kind::away, fail(Errc::unavailable, "another stream begins"), {}};
}

End stopping() {
  return {End::Kind::away, fail(Errc::unavailable, "stopping"), {}};
}

}  // namespace

Delivery::Loop::Loop(Delivery& owner, DeliveryOptions options)
    : owner_(owner),
      options_(std::move(options)),
      outbox_({options_.identity, options_.buffer, random_stream_id}, SpoolFolder(options_.spool)) {}

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

void Delivery::Loop::answer(std::string message) {
  const std::lock_guard lock(inbox_mutex_);
  inbox_answers_.push_back(std::move(message));
  wake_locked();
}

void Delivery::Loop::stop(Time deadline) {
  const std::lock_guard lock(inbox_mutex_);
  inbox_stop_by_ = deadline;
  wake_locked();
}

void Delivery::Loop::reconnect() {
  const std::lock_guard lock(inbox_mutex_);
  inbox_reconnect_ = true;
  wake_locked();
}

void Delivery::Loop::greet_with(Greeting greeting) {
  const std::lock_guard lock(inbox_mutex_);
  inbox_greeting_ = std::move(greeting);
  wake_locked();
}

std::size_t Delivery::Loop::waiting() const {
  const std::lock_guard lock(inbox_mutex_);
  return inbox_.size();
}

void Delivery::Loop::take_inbox() {
  std::vector<EncodedBatch> arrived;
  bool reconnect = false;
  {
    const std::lock_guard lock(inbox_mutex_);
    wake_pending_ = false;
    arrived.swap(inbox_);
    for (std::string& message : std::exchange(inbox_answers_, {})) answers_.push_back(std::move(message));
    stop_by_ = inbox_stop_by_;
    reconnect = std::exchange(inbox_reconnect_, false);
    if (inbox_greeting_) promised_ = std::exchange(inbox_greeting_, std::nullopt);
  }
  if (reconnect && live_.connection && !live_.connection->ending()) {
    reconnecting_ = true;
    live_.connection->end(other_certificates());
  }
  if (promised_ && live_.connection && !live_.connection->ending() && !live_.connection->before_hello()) {
    reconnecting_ = true;
    live_.connection->end(another_stream());
  }
  const Time now = std::chrono::steady_clock::now();
  for (EncodedBatch& batch : arrived) outbox_.push(std::move(batch), now);
  if (stop_by_) outbox_.no_more_batches();
  outbox_.keep_caps(backfilling_);
}

void Delivery::Loop::run() {
  ::pthread_setname_np(::pthread_self(), "delivery");
  outbox_.open_spool([this] {
    const std::lock_guard lock(inbox_mutex_);
    wake_locked();
  });
  for (;;) {
    const Time now = std::chrono::steady_clock::now();
    if (done(now)) break;
    handle_timers(now);
    if (live_.connection) pump(live_, now);
    if (backfill_.connection && backfill_may_send()) pump(backfill_, now);
    outbox_.tend(now);
    publish();
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = next_deadline();
    const gpr_timespec until = deadline ? deadline_in(*deadline - now) : gpr_inf_future(GPR_CLOCK_MONOTONIC);
    if (queue_.AsyncNext(&tag, &ok, until) != grpc::CompletionQueue::GOT_EVENT) continue;
    if (tag == kWake) {
      take_inbox();
    } else {
      handle(tag, ok);
    }
  }
  drain();
}

void Delivery::Loop::handle(void* tag, bool ok) {
  const Time now = std::chrono::steady_clock::now();
  Line& line = live_.owns(tag) ? live_ : backfill_;
  line.connection->handle(Line::event_of(tag), ok, now);
  if (line.connection->session().progressed()) line.progress();
  if (&line == &live_) {
    read_live_session();
    if (live_.connection->over()) live_ended(now);
  } else {
    read_backfill_session();
    if (backfill_.connection->over()) backfill_ended(now);
  }
}

bool Delivery::Loop::done(Time now) const {
  if (!stop_by_) return false;
  if (now >= *stop_by_) return true;
  // An aggregator that was away just now is not worth waiting for.
  return !live_.connection && (live_.complained || (outbox_.all_durable() && may_leave()));
}

/// Bye may be said: what would be lost with the agent is delivered. What is on disk its next run delivers.
bool Delivery::Loop::may_leave() const {
  return stop_by_ && !outbox_.holds_ended_in_memory();
}

/// Everything gRPC still holds must come back before the connections and the queue may go.
void Delivery::Loop::drain() {
  outbox_.spool_all();
  for (Line* line : {&live_, &backfill_})
    if (line->connection) line->connection->end(stopping());
  {
    const std::lock_guard lock(inbox_mutex_);
    closed_ = true;
  }
  alarm_.Cancel();
  void* tag = nullptr;
  bool ok = false;
  const auto busy = [](const Line& line) { return line.connection && !line.connection->over(); };
  while ((busy(live_) || busy(backfill_)) && queue_.Next(&tag, &ok)) {
    if (tag == kWake) continue;
    Line& line = live_.owns(tag) ? live_ : backfill_;
    line.connection->handle(Line::event_of(tag), ok, std::chrono::steady_clock::now());
  }
  live_.connection.reset();
  backfill_.connection.reset();
  queue_.Shutdown();
  while (queue_.Next(&tag, &ok)) {
  }
  publish();
}

void Delivery::Loop::handle_timers(Time now) {
  begin_promised_stream(now);
  if (!live_.connection) {
    if (now >= live_.next_attempt) connect(now);
  } else {
    if (may_leave()) live_.connection->session().leave();
    begin_stream_if_behind(now);
    outbox_.declare(live_.connection->session());
    hand_over_answers();
  }
  if (!backfill_.connection && now >= backfill_.next_attempt) connect_backfill(now);
  for (Line* line : {&live_, &backfill_}) {
    if (!line->connection || line->connection->ending()) continue;
    if (auto silent = line->connection->session().check(now)) line->connection->end(std::move(*silent));
  }
}

std::optional<Delivery::Loop::Time> Delivery::Loop::next_deadline() const {
  std::optional<Time> next;
  const auto earlier = [&next](const std::optional<Time>& other) {
    if (other && (!next || *other < *next)) next = other;
  };
  for (const Line* line : {&live_, &backfill_}) {
    // The events of one that is ending come by themselves.
    if (line->connection && !line->connection->ending()) earlier(line->connection->session().deadline());
  }
  if (!live_.connection) earlier(live_.next_attempt);
  const bool wants_backfill = !backfill_.connection && outbox_.has_ended() && backfill_may_send();
  if (wants_backfill) earlier(backfill_.next_attempt);
  earlier(stop_by_);
  earlier(outbox_.due());
  return next;
}

void Delivery::Loop::pump(Line& line, Time now) {
  const std::size_t bytes = line.connection->pump(now, wall_ms());
  if (bytes == 0) return;
  ++figures_.sent_messages;
  figures_.sent_bytes += bytes;
}

void Delivery::Loop::retry(Line& line, const End& end, Time now) {
  const milliseconds wait = line.wait_after(end);
  line.next_attempt = now + wait;
  const auto level = line.complained ? log::Level::debug : log::Level::warn;  // once per outage
  log::write(level, "delivery", &line == &live_ ? "not connected" : "back-fill waits",
             {{"aggregator", options_.channel.address}, {"error", end.error}, {"retry_ms", wait.count()}});
  if (&line == &live_ && !line.explained && end.error.code == Errc::unavailable) line.explained = explain();
  line.complained = true;
}

/// gRPC says no more than that it could not connect. Whether there was something to say: an aggregator that
/// restarts is at first not there, and only then one that wants TLS.
bool Delivery::Loop::explain() {
  if (!options_.look_for_trouble || stop_by_) return false;
  const auto trouble = options_.look_for_trouble(options_.channel);
  if (!trouble) return false;
  log::warn("delivery", "why it is not connected",
            {{"aggregator", options_.channel.address}, {"seen", trouble->seen}, {"fix", trouble->fix}});
  return true;
}

void Delivery::Loop::connect(Time now) {
  if (options_.fresh_tls) {
    if (auto fresh = options_.fresh_tls()) options_.channel.tls = std::move(*fresh);
  }
  OutboxStream& stream = outbox_.live();
  Session session(stream.buffer, stream.identity, now);
  live_.connection = std::make_unique<Connection>(make_channel(options_.channel),
                                                  Connection::Queue{queue_, live_.mark}, std::move(session));
}

/// Now that the aggregator is there: not at each try of an outage.
void Delivery::Loop::begin_stream_if_behind(Time now) {
  if (!live_.connection->before_hello() || !outbox_.behind() || stop_by_) return;
  left_behind_ += outbox_.live().buffer.waiting_batches();
  begin_stream(now);
}

/// Once the Hello of the present stream is over with its connection, and the batches before are in.
void Delivery::Loop::begin_promised_stream(Time now) {
  if (!promised_ || stop_by_ || !outbox_.may_begin_stream()) return;
  if (live_.connection && !live_.connection->before_hello()) return;
  outbox_.greet_with(*std::exchange(promised_, std::nullopt));
  begin_stream(now);
}

void Delivery::Loop::begin_stream(Time now) {
  outbox_.begin_stream();
  owner_.begins_stream_ = true;
  if (!live_.connection) return;
  OutboxStream& stream = outbox_.live();
  live_.connection->speak(Session(stream.buffer, stream.identity, now));
}

void Delivery::Loop::hand_over_answers() {
  while (answers_.size() > kMostAnswers) answers_.pop_front();
  if (!live_.connection->session().welcomed()) return;
  for (std::string& message : std::exchange(answers_, {}))
    live_.connection->session().answer(std::move(message));
}

void Delivery::Loop::read_live_session() {
  for (const v1::ActionRequest& request : live_.connection->session().take_requests()) {
    if (options_.on_action) options_.on_action(request);
  }
  const Session& session = live_.connection->session();
  if (const auto interval = session.delivery_interval()) owner_.interval_ms_ = interval->count();
  if (const auto max_series = session.max_series()) owner_.max_series_ = *max_series;
  if (!session.welcomed() || live_.welcomed) return;
  live_.welcomed = true;
  figures_.connected = true;
  ++figures_.connects;
  figures_.clock_offset_ms = session.clock_offset().count();
  log::info("delivery", "connected",
            {{"aggregator", options_.channel.address},
             {"durable", session.buffer().durable_seq()},
             {"next", session.buffer().next_seq()},
             {"clock_offset_ms", figures_.clock_offset_ms}});
  // Not when it was left: an aggregator that refuses this host takes neither.
  if (const std::size_t batches = std::exchange(left_behind_, 0); batches > 0)
    log::info("delivery", "what has waited is delivered behind what is sampled now", {{"batches", batches}});
  live_.complained = live_.explained = false;
}

void Delivery::Loop::live_ended(Time now) {
  const End end = live_.connection->reason();
  const bool on_purpose = live_.connection->closed_after_bye();
  const bool reconnecting = std::exchange(reconnecting_, false);
  for (std::string& message : live_.connection->session().take_answers())
    answers_.push_back(std::move(message));
  live_.connection.reset();
  live_.welcomed = figures_.connected = false;
  outbox_.session_ended();
  // It goes over the same connection, and behind what is live.
  if (backfill_.connection && !backfill_.connection->ending())
    backfill_.connection->end({End::Kind::away, end.error, {}});
  if (on_purpose) return outbox_.all_delivered();
  if (reconnecting) {
    live_.next_attempt = now;
    return;
  }
  ++figures_.failures;
  retry(live_, end, now);
  if (live_.poisoned(end)) outbox_.give_up_oldest(outbox_.live());
}

void Delivery::Loop::connect_backfill(Time now) {
  if (!outbox_.has_ended() || !backfill_may_send()) return;
  backfilling_ = outbox_.ended();
  Session session(backfilling_->buffer, backfilling_->identity, now);
  session.back_fill();
  backfill_.connection = std::make_unique<Connection>(
      live_.connection->channel(), Connection::Queue{queue_, backfill_.mark}, std::move(session));
}

/// Live first.
bool Delivery::Loop::backfill_may_send() const {
  return live_.connection && !live_.connection->ending() && live_.connection->session().caught_up();
}

void Delivery::Loop::read_backfill_session() {
  const Session& session = backfill_.connection->session();
  if (!session.welcomed() || backfill_.welcomed) return;
  backfill_.welcomed = true;
  backfill_.complained = false;
}

void Delivery::Loop::backfill_ended(Time now) {
  const End end = backfill_.connection->reason();
  const bool on_purpose = backfill_.connection->closed_after_bye();
  backfill_.connection.reset();
  backfill_.welcomed = false;
  OutboxStream& stream = *std::exchange(backfilling_, nullptr);
  if (on_purpose) {
    ++figures_.backfills;
    log::info("delivery", "what had waited is delivered", {{"batches", stream.buffer.next_seq() - 1}});
    outbox_.delivered();
    backfill_.next_attempt = now;
    return;
  }
  retry(backfill_, end, now);
  if (backfill_.poisoned(end)) outbox_.give_up_oldest(stream);
}

void Delivery::Loop::publish() {
  figures_.durable_seq = outbox_.live().buffer.durable_seq();
  figures_.dropped_batches = outbox_.dropped_batches();
  figures_.buffered_bytes = outbox_.memory_bytes();
  figures_.spooled_bytes = outbox_.spooled_bytes();
  figures_.spool_cap_bytes = outbox_.spool_cap();
  const std::lock_guard lock(owner_.figures_mutex_);
  owner_.figures_ = figures_;
}

}  // namespace vigil::agent
