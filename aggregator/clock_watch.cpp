#include "aggregator/clock_watch.h"

#include "common/log/log.h"
#include "common/patient_clock.h"
#include "common/text/human.h"

#include <chrono>
#include <utility>

namespace vigil::aggregator {

void ClockWatch::beat() {
  const std::int64_t ahead_ms = patient_wall().ahead_ms;
  if (std::exchange(is_ahead_, ahead_ms != 0) == is_ahead_) return;
  if (is_ahead_) {
    log::warn(
        "main",
        "the clock of this machine was set ahead: nothing is deleted or given up for its age by it until "
        "that has lasted for a day",
        {{"by", format_duration(std::chrono::milliseconds(ahead_ms))}});
  } else {
    log::info("main", "what is old goes by the clock of this machine again");
  }
}

}  // namespace vigil::aggregator
