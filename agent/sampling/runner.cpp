#include "agent/sampling/runner.h"

#include <limits>

namespace vigil::agent {

/// Tells whether a multiple of the interval has passed since it last said yes.
class Runner::Cadence {
 public:
  explicit Cadence(std::chrono::milliseconds interval) : interval_ms_(interval.count()) {}
  std::chrono::milliseconds interval() const { return std::chrono::milliseconds(interval_ms_); }
  bool due(const Tick& tick) {
    const std::int64_t slot = tick.wall_ms / interval_ms_;
    if (slot == last_slot_) return false;
    last_slot_ = slot;
    return true;
  }

 private:
  std::int64_t interval_ms_;
  std::int64_t last_slot_ = std::numeric_limits<std::int64_t>::min();
};

struct Runner::Inline {
  std::unique_ptr<Collector> collector;
  Sheet sheet;
  Health health;
};

/// Collectors of one job and cadence on the beat's thread.
struct Runner::Group {
  Cadence cadence;
  Source source;
  std::vector<std::unique_ptr<Inline>> members;
};

/// A collector that runs apart.
struct Runner::Lone {
  Cadence cadence;
  Source source;
  Health health;
  Apart apart;
  bool pending = false;  // a run was started and its row not yet given
  Tick started{};
  std::uint64_t refused = 0;  // of the last run; the sheet itself may be the other thread's
};

struct Runner::Status {
  Cadence cadence{kStatusInterval};
  Sheet sheet;
  Source source;
};

Runner::Runner(std::vector<PlannedCollector> planned, const RunnerOptions& options,
               const std::function<void()>& wake, std::chrono::steady_clock::time_point start)
    : max_series_(options.max_series), apart_deadline_(options.apart_deadline), start_(start) {
  for (PlannedCollector& one : planned) {
    if (one.collector->lane() == Lane::beat) {
      add_inline(std::move(one));
    } else {
      add_lone(std::move(one), wake);
    }
  }
  status_ = std::make_unique<Status>(Status{Cadence(kStatusInterval), Sheet(max_series_),
                                            Source(next_source_id(), "node", kStatusInterval)});
  status_->source.add(status_->sheet);
}

Runner::~Runner() = default;

void Runner::add_inline(PlannedCollector planned) {
  const std::string_view job = planned.collector->job();
  Group* group = nullptr;
  for (const auto& other : groups_) {
    if (other->source.schema().job == job && other->cadence.interval() == planned.interval)
      group = other.get();
  }
  if (group == nullptr) {
    groups_.push_back(std::make_unique<Group>(
        Group{Cadence(planned.interval), Source(next_source_id(), std::string(job), planned.interval), {}}));
    group = groups_.back().get();
  }
  const std::string_view name = planned.collector->name();
  group->members.push_back(std::make_unique<Inline>(
      Inline{std::move(planned.collector), Sheet(max_series_), Health(name, start_)}));
  group->source.add(group->members.back()->sheet);
}

void Runner::add_lone(PlannedCollector planned, const std::function<void()>& wake) {
  const std::string name(planned.collector->name());
  std::string job(planned.collector->job());
  const auto interval = planned.interval;
  lone_.push_back(std::unique_ptr<Lone>(new Lone{Cadence(interval),
                                                 Source(next_source_id(), std::move(job), interval),
                                                 Health(name, start_),
                                                 {std::move(planned.collector), max_series_, wake}}));
  lone_.back()->source.add(lone_.back()->apart.sheet());
}

bool Runner::about_agent(const Source& source) const {
  return (status_ != nullptr && &source == &status_->source) || source.schema().job == "vigil_agent";
}

void Runner::refresh(Source& source) {
  constexpr std::size_t kKeptForAgent = 200;
  const std::size_t others = series_ - source.width();
  const std::size_t taken = others + (about_agent(source) ? 0 : std::min(kKeptForAgent, max_series_ / 10));
  source.refresh(max_series_ > taken ? max_series_ - taken : 0, max_series_ - max_series_ / 4);
  series_ = others + source.width();
}

void Runner::beat(const Tick& tick, FrameSink& sink) {
  poll(tick.steady, sink);
  // Those apart first: they work while the others run here.
  for (const auto& lone : lone_) {
    if (lone->cadence.due(tick)) start(*lone, tick, sink);
  }
  for (const auto& group : groups_) {
    if (group->cadence.due(tick)) run(*group, tick, sink);
  }
  if (status_->cadence.due(tick)) report(tick, sink);
}

void Runner::run(Group& group, const Tick& tick, FrameSink& sink) {
  for (const auto& member : group.members) {
    if (!member->health.worth_trying(tick.steady)) {
      member->sheet.begin();
      member->sheet.end();
      continue;
    }
    member->health.ran(run_collector(*member->collector, tick, member->sheet), tick.steady);
  }
  refresh(group.source);
  if (group.source.width() > 0) sink.take(group.source.fill(tick.wall_ms));
}

void Runner::start(Lone& lone, const Tick& tick, FrameSink& sink) {
  if (lone.pending || !lone.health.worth_trying(tick.steady)) return;  // slower than its cadence: it goes on
  if (lone.apart.done()) lone.apart.take();                            // came after its deadline
  if (lone.apart.start(tick)) {
    lone.pending = true;
    lone.started = tick;
  } else if (lone.source.width() > 0) {
    sink.take(lone.source.fill_absent(tick.wall_ms));  // it still hangs
  }
}

void Runner::poll(Lone& lone, std::chrono::steady_clock::time_point now, FrameSink& sink) {
  if (!lone.pending) return;
  if (lone.apart.done()) {
    lone.pending = false;
    lone.health.ran(lone.apart.take(), now);
    lone.refused = lone.apart.sheet().refused();
    refresh(lone.source);
    if (lone.source.width() > 0) sink.take(lone.source.fill(lone.started.wall_ms));
  } else if (now - lone.started.steady >= apart_deadline_) {
    lone.pending = false;
    lone.health.hung(apart_deadline_);
    if (lone.source.width() > 0) sink.take(lone.source.fill_absent(lone.started.wall_ms));
  }
}

void Runner::poll(std::chrono::steady_clock::time_point now, FrameSink& sink) {
  for (const auto& lone : lone_) poll(*lone, now, sink);
}

bool Runner::waiting() const {
  for (const auto& lone : lone_) {
    if (lone->pending) return true;
  }
  return false;
}

void Runner::report(const Tick& tick, FrameSink& sink) {
  status_->sheet.begin();
  for (const auto& group : groups_) {
    for (const auto& member : group->members) member->health.report(tick.steady, status_->sheet);
  }
  for (const auto& lone : lone_) lone->health.report(tick.steady, status_->sheet);
  status_->sheet.end();
  refresh(status_->source);
  if (status_->source.width() > 0) sink.take(status_->source.fill(tick.wall_ms));
}

std::uint64_t Runner::series_left_out() const {
  std::uint64_t count = status_->source.cut() + status_->sheet.refused();
  for (const auto& group : groups_) {
    count += group->source.cut();
    for (const auto& member : group->members) count += member->sheet.refused();
  }
  for (const auto& lone : lone_) count += lone->source.cut() + lone->refused;
  return count;
}

}  // namespace vigil::agent
