// The host's clock. The sample carries the same time as its stamp, so `node_time_seconds - timestamp(...)` is
// not the clock's error (see node_timex_offset_seconds, and the skew the aggregator measures); dashboards
// compute uptime from it.
#include "agent/collectors/table.h"

namespace vigil::agent {
namespace {

constexpr Family kTime{"node_time_seconds", "The host's clock in seconds since 1970, UTC.", SeriesType::gauge,
                       3};

class TimeCollector final : public Collector {
 public:
  std::string_view name() const override { return "time"; }

  Result<void> collect(const Tick& tick, Sheet& sheet) override {
    sheet.put(kTime, tick.wall_ms);
    return {};
  }
};

}  // namespace

std::unique_ptr<Collector> make_time(const CollectorOptions&) {
  return std::make_unique<TimeCollector>();
}

}  // namespace vigil::agent
