#include "agent/sampling/health.h"

#include "common/log/log.h"

namespace vigil::agent {
namespace {

constexpr Family kSuccess{"node_scrape_collector_success",
                          "Whether the collector's last run succeeded.",
                          SeriesType::gauge,
                          0,
                          {"collector"}};
constexpr Family kDuration{"node_scrape_collector_duration_seconds",
                           "Seconds the collector's last run took.",
                           SeriesType::gauge,
                           6,
                           {"collector"}};
constexpr Family kAge{"vigil_collector_age_seconds",
                      "Seconds since the collector last succeeded, or since the agent started.",
                      SeriesType::gauge,
                      0,
                      {"collector"}};

template <class Unit>
std::int64_t count(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<Unit>(duration).count();
}

}  // namespace

void Health::ran(const Outcome& outcome, std::chrono::steady_clock::time_point now) {
  duration_ = outcome.duration;
  if (outcome.result) {
    if (state_ == State::failing) log::info("sampling", "collector works again", {{"collector", name_}});
    state_ = State::good;
    last_success_ = now;
  } else if (outcome.result.error().code == Errc::unsupported) {
    state_ = State::unsupported;
    not_before_ = now + kRetryUnsupported;
  } else {
    enter_failure(outcome.result.error());
  }
}

void Health::hung(std::chrono::milliseconds deadline) {
  duration_ = deadline;
  enter_failure(fail(Errc::timeout, "no answer within {} ms", deadline.count()));
}

void Health::enter_failure(const Error& error) {
  if (state_ != State::failing)
    log::warn("sampling", "collector failed", {{"collector", name_}, {"error", error}});
  state_ = State::failing;
}

void Health::report(std::chrono::steady_clock::time_point now, Sheet& sheet) const {
  if (state_ == State::unknown || state_ == State::unsupported) return;
  sheet.put(kSuccess, {name_}, state_ == State::good ? 1 : 0);
  sheet.put(kDuration, {name_}, count<std::chrono::microseconds>(duration_));
  sheet.put(kAge, {name_}, count<std::chrono::seconds>(now - last_success_));
}

}  // namespace vigil::agent
