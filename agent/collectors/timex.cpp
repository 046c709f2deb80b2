// How well the host's clock is kept, from adjtimex(2) without changing anything. It is the clock of the
// running kernel, whatever recorded tree the other collectors read. Where a sandbox refuses the call, which
// also sets clocks, vigil-kernel-reader is asked.
#include "agent/collectors/timex.h"

#include "agent/collectors/table.h"
#include "agent/kernel_reader/client.h"

#include <cerrno>

namespace vigil::agent {
namespace {

constexpr auto kCounter = SeriesType::counter;
constexpr auto kGauge = SeriesType::gauge;
constexpr Family kOffset{"node_timex_offset_seconds", "Seconds the clock is off its reference.", kGauge, 9};
constexpr Family kFrequency{"node_timex_frequency_adjustment_ratio",
                            "How much faster than its oscillator the clock runs.", kGauge, 12};
constexpr Family kMaxError{"node_timex_maxerror_seconds", "Largest possible error in seconds.", kGauge, 6};
constexpr Family kError{"node_timex_estimated_error_seconds", "Estimated error in seconds.", kGauge, 6};
constexpr Family kStatus{"node_timex_status", "Status bits (STA_*)."};
constexpr Family kLoop{"node_timex_loop_time_constant", "Time constant of the phase-locked loop."};
constexpr Family kTickLength{"node_timex_tick_seconds", "Seconds between clock ticks.", kGauge, 6};
constexpr Family kPpsFrequency{"node_timex_pps_frequency_hertz", "Frequency of the pulse per second.", kGauge,
                               12};
constexpr Family kPpsJitter{"node_timex_pps_jitter_seconds", "Jitter of the pulse per second in seconds.",
                            kGauge, 9};
constexpr Family kPpsShift{"node_timex_pps_shift_seconds",
                           "Interval of the pulse per second in seconds (a power of two)."};
constexpr Family kPpsStability{"node_timex_pps_stability_hertz", "Stability of the pulse per second.", kGauge,
                               12};
constexpr Family kPpsJitters{"node_timex_pps_jitter_total", "Pulses with too much jitter.", kCounter};
constexpr Family kPpsCalibrations{"node_timex_pps_calibration_total", "Calibration intervals.", kCounter};
constexpr Family kPpsErrors{"node_timex_pps_error_total", "Calibration errors.", kCounter};
constexpr Family kPpsUnstable{"node_timex_pps_stability_exceeded_total", "Pulses with too little stability.",
                              kCounter};
constexpr Family kTai{"node_timex_tai_offset_seconds", "Seconds International Atomic Time is ahead of UTC."};
constexpr Family kSync{"node_timex_sync_status",
                       "1 while the clock is kept by a time source, 0 while it is not."};

constexpr Family kZone{"node_time_zone_offset_seconds",
                       "Seconds the agent's time zone is ahead of UTC.",
                       SeriesType::gauge,
                       0,
                       {"time_zone"}};

/// adjtimex(2) gives ppm with a 16-bit fraction; the families have 12 decimals: raw = value / (10^6 * 2^16) *
/// 10^12.
std::int64_t scaled_ppm(long value) {
  return static_cast<std::int64_t>(value) * 1'000'000 / 65'536;
}

class TimexCollector final : public Collector {
 public:
  explicit TimexCollector(const CollectorOptions& options) : reader_(options.kernel_reader) {}

  std::string_view name() const override { return "timex"; }
  Lane lane() const override { return own_call() < 0 ? Lane::apart : Lane::beat; }  // a reader may hang
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick& tick, Sheet& sheet) override {
    timex clock{};  // modes 0: only read
    int state = ::adjtimex(&clock);
    if (state < 0) {
      const Error refused = timex_error(errno);
      if (refused.code != Errc::unsupported) return refused;
      reader_.begin();
      const auto answered = reader_.ask({kernel::Kind::clock});
      if (!answered) return refused;  // there is no reader, or it may not be asked
      if ((*answered)->error != 0) return timex_error((*answered)->error);
      clock = (*answered)->clock;
      state = (*answered)->state;
    }
    put_timex(clock, state, sheet);
    put_zone(tick.wall_ms / 1000, sheet);
    return {};
  }

 private:
  static int own_call() {
    timex clock{};
    return ::adjtimex(&clock);
  }

  static void put_zone(std::time_t now, Sheet& sheet) {
    std::tm local{};
    if (::localtime_r(&now, &local) != nullptr) sheet.put(kZone, {local.tm_zone}, local.tm_gmtoff);
  }

  kernel::Client reader_;
};

}  // namespace

Error timex_error(int error) {
  if (error == EPERM || error == EACCES || error == ENOSYS)
    return fail(Errc::unsupported, "adjtimex: not allowed in this container");
  return fail_errno(error, "adjtimex");
}

void put_timex(const timex& clock, int state, Sheet& sheet) {
  const std::int64_t nanoseconds = (clock.status & STA_NANO) != 0 ? 1 : 1000;
  sheet.put(kOffset, clock.offset * nanoseconds);
  sheet.put(kFrequency, 1'000'000'000'000 + scaled_ppm(clock.freq));
  sheet.put(kMaxError, clock.maxerror);
  sheet.put(kError, clock.esterror);
  sheet.put(kStatus, clock.status);
  sheet.put(kLoop, clock.constant);
  sheet.put(kTickLength, clock.tick);
  sheet.put(kPpsFrequency, scaled_ppm(clock.ppsfreq));
  sheet.put(kPpsJitter, clock.jitter * nanoseconds);
  sheet.put(kPpsShift, clock.shift);
  sheet.put(kPpsStability, scaled_ppm(clock.stabil));
  sheet.put(kPpsJitters, clock.jitcnt);
  sheet.put(kPpsCalibrations, clock.calcnt);
  sheet.put(kPpsErrors, clock.errcnt);
  sheet.put(kPpsUnstable, clock.stbcnt);
  sheet.put(kTai, clock.tai);
  sheet.put(kSync, state == TIME_ERROR ? 0 : 1);
}

std::unique_ptr<Collector> make_timex(const CollectorOptions& options) {
  return std::make_unique<TimexCollector>(options);
}

}  // namespace vigil::agent
