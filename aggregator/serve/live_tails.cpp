#include "aggregator/serve/live_tails.h"

#include "aggregator/serve/query_answer.h"
#include "aggregator/serve/unary.h"
#include "common/fnv1a.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <string>
#include <utility>

namespace vigil::aggregator {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kUsual{1'000};
constexpr milliseconds kShortest{100};
constexpr milliseconds kLongest{3'600'000};
constexpr int kRest = 3;  // times what an evaluation took, before the next one

/// The same for the same labels and values, at whatever time.
std::uint64_t fingerprint(const v1::WatchUpdate& update) {
  std::uint64_t hash = fnv1a(kFnvBasis, update.error());
  hash = fnv1a(hash, update.result().text());
  const auto add = [&hash](std::string_view text) { hash = fnv1a(fnv1a(hash, text), '\0'); };
  for (const auto& series : update.result().series()) {
    for (const auto& label : series.labels()) {
      add(label.name());
      add(label.value());
    }
    for (const double value : series.values()) {
      const auto bits = std::bit_cast<std::array<char, sizeof value>>(value);
      add({bits.data(), bits.size()});
    }
  }
  return hash;
}

}  // namespace

/// One call. `busy` from the start of an evaluation until its update has left: then there is one owner of the
/// message, and nobody ends the call before.
class LiveTails::Tail final : public grpc::ServerWriteReactor<v1::WatchUpdate> {
 public:
  Tail(LiveTails& owner, const v1::WatchRequest& request)
      : expression(request.expression()),
        interval(request.interval_ms() == 0 ? kUsual : milliseconds(request.interval_ms())),
        changes_only(request.changes_only()),
        owner_(owner) {}

  /// The next instant of the grid that is not before `time`; those passed over are counted.
  void wait_until(Clock::time_point time) {
    const auto steps = std::max<std::int64_t>((time - due + interval - Clock::duration(1)) / interval, 1);
    due += steps * interval;
    skipped += static_cast<std::uint64_t>(steps - 1);
  }

  const std::string expression;
  const milliseconds interval;
  const bool changes_only;
  std::atomic<bool> closing = false;  // set under the owner's lock; an evaluation looks, too

  // Protected by the owner's lock.
  bool admitted = false;
  bool begun = false;  // the first one is due at once, whenever that is
  Clock::time_point due{};
  std::uint64_t skipped = 0;
  std::uint64_t shown = 0;  // fingerprint
  bool has_shown = false;
  bool busy = false;
  bool ended = false;
  grpc::Status status = grpc::Status::CANCELLED;

  v1::WatchUpdate message;  // of who made it busy

 private:
  void OnWriteDone(bool ok) override { owner_.written(*this, ok); }
  void OnCancel() override { owner_.leave(*this, grpc::Status::CANCELLED); }
  void OnDone() override { owner_.remove(*this); }

  LiveTails& owner_;
};

LiveTails::LiveTails(QueryEngine& engine, Clocks clocks, TailLimits limits)
    : engine_(engine), clocks_(std::move(clocks)), limits_(limits) {}

LiveTails::~LiveTails() = default;

std::size_t LiveTails::size() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      tails_.begin(), tails_.end(), [](const auto& tail) { return tail->admitted && !tail->closing; }));
}

grpc::Status LiveTails::admit(const v1::WatchRequest& request, Tail& tail) {
  if (tail.interval < kShortest || tail.interval > kLongest) {
    return to_grpc(fail(Errc::invalid_argument, "interval_ms: {} must be from {} to {}",
                        request.interval_ms(), kShortest.count(), kLongest.count()));
  }
  if (const auto parsed = engine_.parse(tail.expression); !parsed) return to_grpc(parsed.error());
  const std::lock_guard lock(mutex_);
  if (stopping_) return to_grpc(fail(Errc::unavailable, "the aggregator is stopping"));
  const auto admitted = std::count_if(tails_.begin(), tails_.end(),
                                      [](const auto& other) { return other->admitted && !other->ended; });
  if (static_cast<std::size_t>(admitted) == limits_.tails) {
    return to_grpc(fail(Errc::limit, "{} expressions are watched already; end one of them", limits_.tails));
  }
  tail.admitted = true;
  tail.busy = false;
  return grpc::Status::OK;
}

grpc::ServerWriteReactor<v1::WatchUpdate>* LiveTails::open(const v1::WatchRequest& request) {
  auto made = std::make_unique<Tail>(*this, request);
  Tail& tail = *made;
  tail.busy = true;  // nobody else's until it is admitted
  {
    const std::lock_guard lock(mutex_);
    tails_.push_back(std::move(made));
  }
  if (const grpc::Status status = admit(request, tail); !status.ok()) {
    leave(tail, status);
    rest(tail);
  }
  return &tail;
}

void LiveTails::tick() {
  const auto now = clocks_.steady();
  for (Tail* tail : take_due(now)) {
    if (engine_.submit([this, tail] { evaluate(*tail); })) continue;
    {
      const std::lock_guard lock(mutex_);  // too many questions, or the end is near: later
      --running_;
      tail->wait_until(now);
    }
    rest(*tail);
  }
}

/// In turn, so that none waits for ever.
std::vector<LiveTails::Tail*> LiveTails::take_due(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  std::vector<Tail*> due;
  for (std::size_t left = tails_.size(); left > 0 && running_ < limits_.running; --left) {
    tails_.splice(tails_.end(), tails_, tails_.begin());
    Tail& tail = *tails_.back();
    if (!std::exchange(tail.begun, true)) tail.due = now;
    if (tail.busy || tail.ended || tail.due > now) continue;
    tail.busy = true;
    ++running_;
    due.push_back(&tail);
  }
  return due;
}

v1::WatchUpdate LiveTails::update_of(const Tail& tail) const {
  v1::WatchUpdate update;
  update.set_time_ms(clocks_.now_ms());
  const auto value =
      engine_.instant(tail.expression, update.time_ms(), [&tail] { return tail.closing.load(); });
  if (!value) {
    update.set_error(value.error().message);
    return update;
  }
  put_value(*value, *update.mutable_result());
  if (static_cast<std::size_t>(update.result().series_size()) > limits_.series) {
    update.set_error(
        fmt::format("{} series are more than the {} that can be watched; topk() or an aggregation "
                    "makes fewer of them",
                    update.result().series_size(), limits_.series));
    update.clear_result();
  }
  return update;
}

/// On a query thread.
void LiveTails::evaluate(Tail& tail) {
  const auto began = clocks_.steady();
  v1::WatchUpdate update = update_of(tail);
  const std::uint64_t print = fingerprint(update);
  const auto ended = clocks_.steady();
  bool send = false;
  {
    const std::lock_guard lock(mutex_);
    --running_;
    send = !tail.closing && !(tail.changes_only && tail.has_shown && tail.shown == print);
    tail.wait_until(ended + kRest * (ended - began));
    if (send) {
      update.set_skipped(std::exchange(tail.skipped, 0));
      tail.shown = print;
      tail.has_shown = true;
      tail.message = std::move(update);
    }
  }
  if (send) {
    tail.StartWrite(&tail.message);  // it may come back at once, so without the lock
  } else {
    rest(tail);
  }
  tick();  // somebody may have waited for its end
}

void LiveTails::written(Tail& tail, bool well) {
  if (!well) leave(tail, grpc::Status::CANCELLED);
  rest(tail);
}

/// Ends the call as soon as nothing is under way.
void LiveTails::leave(Tail& tail, const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (tail.closing.exchange(true)) return;
    tail.status = status;
    if (tail.busy) return;
    tail.ended = true;
  }
  tail.Finish(status);
}

/// Nothing is under way any more. If it was asked to end meanwhile, it ends here and may not be touched
/// again.
void LiveTails::rest(Tail& tail) {
  grpc::Status status;
  {
    const std::lock_guard lock(mutex_);
    tail.busy = false;
    if (!tail.closing || tail.ended) return;
    tail.ended = true;
    status = tail.status;
  }
  tail.Finish(status);
}

void LiveTails::remove(const Tail& tail) {
  const std::lock_guard lock(mutex_);
  tails_.remove_if([&tail](const auto& held) { return held.get() == &tail; });
}

void LiveTails::stop() {
  const grpc::Status status(grpc::StatusCode::UNAVAILABLE, "the aggregator is stopping");
  std::vector<Tail*> idle;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& tail : tails_) {
      if (tail->closing.exchange(true)) continue;
      tail->status = status;
      if (tail->busy) continue;
      tail->ended = true;
      idle.push_back(tail.get());
    }
  }
  for (Tail* tail : idle) tail->Finish(status);
}

}  // namespace vigil::aggregator
