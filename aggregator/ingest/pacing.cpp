#include "aggregator/ingest/pacing.h"

#include <algorithm>
#include <array>

namespace vigil::aggregator {
namespace {

constexpr std::array<std::uint32_t, 4> kStepsMs{1000, 2000, 5000, 10'000};

constexpr double kMostCpu = 0.5;
constexpr double kLongestCommit = 1.0;
constexpr double kFullestQueue = 0.5;
constexpr double kFits = 0.7;  // a faster pace is tried when it would make no more load than this

constexpr double kMessageSeconds = 1e-4;  // of CPU, about
constexpr double kStreamsCpu = 0.2;       // of all CPUs
// One second costs nearly twice what two seconds do: a fleet has it while that is next to nothing.
constexpr double kLiveCpu = 0.04;

std::size_t least_step(std::size_t streams, std::size_t cpus) {
  const double each_second =
      static_cast<double>(streams) * kMessageSeconds / static_cast<double>(std::max<std::size_t>(cpus, 1));
  if (each_second <= kLiveCpu) return 0;
  std::size_t step = 1;
  while (step + 1 < kStepsMs.size() && each_second * 1000 / kStepsMs[step] > kStreamsCpu) ++step;
  return step;
}

}  // namespace

double load_of(const LoadFigures& figures) {
  return std::max({figures.cpu_ratio / kMostCpu, figures.commit_seconds / kLongestCommit,
                   figures.queue_ratio / kFullestQueue});
}

std::uint32_t delivery_interval_for(std::size_t streams, std::size_t cpus) {
  return kStepsMs[least_step(streams, cpus)];
}

std::uint32_t Pacing::interval_ms() const {
  return kStepsMs[step_];
}

bool Pacing::lasted(std::int64_t& since_ms, std::int64_t now_ms, std::int64_t wanted_ms) {
  if (since_ms == 0 || since_ms > now_ms) since_ms = now_ms;
  return now_ms - since_ms >= wanted_ms;
}

void Pacing::step_to(std::size_t step) {
  step_ = step;
  too_much_since_ms_ = room_since_ms_ = 0;  // what was measured belongs to the old pace
}

std::uint32_t Pacing::decide(const LoadFigures& figures, std::int64_t now_ms) {
  const std::size_t least = least_step(figures.streams, figures.cpus);
  if (step_ < least) step_to(least);
  const double load = load_of(figures);
  const bool too_much = load > 1;
  // The faster pace may cost as much more as it brings more messages, were they all there is.
  const bool room = step_ > least && load * kStepsMs[step_] / kStepsMs[step_ - 1] < kFits;
  if (!too_much) too_much_since_ms_ = 0;
  if (!room) room_since_ms_ = 0;
  if (too_much && lasted(too_much_since_ms_, now_ms, kSlowAfterMs) && step_ + 1 < kStepsMs.size()) {
    step_to(step_ + 1);
  } else if (room && lasted(room_since_ms_, now_ms, kFastAfterMs)) {
    step_to(step_ - 1);
  }
  return interval_ms();
}

}  // namespace vigil::aggregator
