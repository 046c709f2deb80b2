#include "cli/bench/fleet.h"

#include "common/clock.h"

#include <algorithm>

namespace vigil::cli {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::size_t kTimersAtOnce = 32;  // then answers are read: a whole fleet may be due at once
constexpr std::size_t kEventsAtOnce = 256;
constexpr milliseconds kSweep{1000};

gpr_timespec deadline_in(std::chrono::nanoseconds wait) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait.count(), GPR_TIMESPAN));
}

}  // namespace

Fleet::Fleet(FleetOptions options, const Replay& replay)
    : options_(std::move(options)), plan_{&replay, options_.run, options_.interval, 0} {
  members_.reserve(options_.agents);
  for (std::size_t i = 0; i < options_.agents; ++i) members_.push_back(std::make_unique<Member>(plan_, i));
}

Fleet::~Fleet() {
  close();
}

void Fleet::connect_over(milliseconds ramp) {
  const Time now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < members_.size(); ++i)
    timers_.push({now + microseconds(ramp) * i / members_.size(), Timer::Kind::connect, i, 0});
}

void Fleet::begin_sampling() {
  const std::int64_t now_ms = wall_ms();
  const auto step = options_.interval.count();
  plan_.first_time_ms = (now_ms / step + 1) * step;
  first_beat_ = std::chrono::steady_clock::now() + milliseconds(plan_.first_time_ms - now_ms);
  stage_ = Stage::sampling;
}

void Fleet::begin_measuring() {
  latencies_ = {};
  latest_ = microseconds(0);
}

void Fleet::leave() {
  if (stage_ == Stage::leaving || stage_ == Stage::closed) return;
  stage_ = Stage::leaving;
  const Time now = std::chrono::steady_clock::now();
  for (const auto& member : members_) {
    if (next_beat_ > 0) member->agent.deliver_to(next_beat_ - 1);
    member->agent.leave();
    if (member->stream) member->stream->pump(now, wall_ms());
  }
}

Fleet::Time Fleet::time_of(std::uint64_t beat) const {
  return first_beat_ + beat * options_.interval;
}

void Fleet::poll(Time until) {
  for (;;) {
    const Time now = std::chrono::steady_clock::now();
    if (now >= until) return;
    sweep(now);
    while (stage_ == Stage::sampling && now >= time_of(next_beat_)) beat(time_of(next_beat_));
    const bool busy = fire(now) == kTimersAtOnce;
    for (std::size_t i = 0; i < kEventsAtOnce; ++i) {
      if (!take_event(busy || i > 0 ? now : next_timer(until))) break;
    }
  }
}

void Fleet::beat(Time due) {
  const std::uint64_t beat = next_beat_++;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const FleetAgent& agent = members_[i]->agent;
    if (!agent.delivers_at(beat)) continue;
    Time when = due;
    if (options_.phase == Phase::spread)
      when += microseconds(agent.delivery_interval()) * i / members_.size();
    timers_.push({when, Timer::Kind::deliver, i, beat});
  }
}

/// Ends streams whose aggregator is silent, as each agent would.
void Fleet::sweep(Time now) {
  if (now < next_sweep_) return;
  next_sweep_ = now + kSweep;
  for (const auto& member : members_) {
    if (member->stream && member->agent.silent(now))
      member->stream->end({"silent: the aggregator did not answer in time"});
  }
}

/// How many timers were due; at most kTimersAtOnce are handled.
std::size_t Fleet::fire(Time now) {
  std::size_t fired = 0;
  for (; fired < kTimersAtOnce && !timers_.empty() && timers_.top().due <= now; ++fired) {
    const Timer timer = timers_.top();
    timers_.pop();
    Member& member = *members_[timer.number];
    if (timer.kind == Timer::Kind::deliver) {
      deliver(timer, now);
    } else if (!member.stream && stage_ != Stage::closed) {
      member.stream = std::make_unique<FleetStream>(member.agent, timer.number, options_.channel, queue_);
    }
  }
  return fired;
}

void Fleet::deliver(const Timer& timer, Time now) {
  Member& member = *members_[timer.number];
  latest_ = std::max(latest_, duration_cast<microseconds>(now - timer.due));
  member.agent.deliver_to(timer.beat);
  if (member.stream) member.stream->pump(now, wall_ms());
}

Fleet::Time Fleet::next_timer(Time until) const {
  until = std::min(until, next_sweep_);
  if (stage_ == Stage::sampling) until = std::min(until, time_of(next_beat_));
  return timers_.empty() ? until : std::min(until, timers_.top().due);
}

/// False: none came until then.
bool Fleet::take_event(Time until) {
  void* tag = nullptr;
  bool ok = false;
  const auto wait = std::max<std::chrono::nanoseconds>(until - std::chrono::steady_clock::now(), {});
  if (queue_.AsyncNext(&tag, &ok, deadline_in(wait)) != grpc::CompletionQueue::GOT_EVENT) return false;
  handle(tag, ok);
  return true;
}

void Fleet::handle(void* tag, bool ok) {
  FleetStream& stream = FleetStream::owner(tag);
  const Time now = std::chrono::steady_clock::now();
  waited_.clear();
  stream.handle(FleetStream::event(tag), ok, now, waited_);
  for (const microseconds latency : waited_) latencies_.add(latency);
  Member& member = *members_[stream.number()];
  if (stream.over()) return after_end(member, now);
  stream.pump(now, wall_ms());
}

void Fleet::after_end(Member& member, Time now) {
  const auto why = member.stream->why();
  const std::size_t number = member.stream->number();
  member.bytes_before += member.stream->bytes();
  member.stream.reset();
  if (!why || stage_ == Stage::closed) return;
  Ends& ends = ends_[why->reason.substr(0, why->reason.find(':'))];
  ++ends.count;
  ends.latest = why->reason;
  timers_.push({now + member.agent.lost(why, random()), Timer::Kind::connect, number, 0});
}

void Fleet::close() {
  if (stage_ == Stage::closed) return;
  stage_ = Stage::closed;
  std::size_t open = 0;
  for (const auto& member : members_) {
    if (!member->stream) continue;
    member->stream->end({"closed"});
    ++open;
  }
  void* tag = nullptr;
  bool ok = false;
  while (open > 0 && queue_.Next(&tag, &ok)) {
    FleetStream& stream = FleetStream::owner(tag);
    const std::size_t number = stream.number();
    stream.handle(FleetStream::event(tag), ok, std::chrono::steady_clock::now(), waited_);
    if (!stream.over()) continue;
    members_[number]->stream.reset();
    --open;
  }
  queue_.Shutdown();
  while (queue_.Next(&tag, &ok)) {
  }
}

FleetFigures Fleet::figures() const {
  FleetFigures figures;
  const std::uint64_t series = plan_.replay->series().size();
  for (const auto& member : members_) {
    const FleetAgent& agent = member->agent;
    figures.open += member->stream ? 1 : 0;
    figures.welcomed += member->stream && agent.welcomed() ? 1 : 0;
    figures.all_durable += agent.all_durable() ? 1 : 0;
    figures.samples_sent += agent.sent_rows() * series;
    figures.samples_acked += agent.durable_rows() * series;
    figures.bytes_sent += member->bytes_before + (member->stream ? member->stream->bytes() : 0);
    figures.delivery_interval = std::max(figures.delivery_interval, agent.delivery_interval());
  }
  figures.latest_delivery = latest_;
  return figures;
}

}  // namespace vigil::cli
