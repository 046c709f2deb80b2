#include "agent/plan.h"

namespace vigil::agent {
namespace {

std::chrono::milliseconds on_beat(std::chrono::milliseconds interval, std::chrono::milliseconds beat) {
  const auto beats = (interval + beat - std::chrono::milliseconds(1)) / beat;
  return beats * beat;
}

/// A collector whose own interval is the default beat runs at every beat, however short or long that was
/// configured.
std::chrono::milliseconds own_interval(const Collector& collector, std::chrono::milliseconds beat) {
  constexpr std::chrono::milliseconds kDefaultBeat{1000};
  return collector.interval() <= kDefaultBeat ? beat : collector.interval();
}

}  // namespace

std::vector<PlannedCollector> plan_collectors(const AgentConfig& config) {
  std::vector<PlannedCollector> planned;
  for (const CollectorEntry& entry : collector_table()) {
    const auto found = config.collectors.find(std::string(entry.name));
    const CollectorSettings settings = found == config.collectors.end() ? CollectorSettings{} : found->second;
    if (!settings.enabled) continue;
    auto collector = entry.make(config.options);
    const auto interval =
        on_beat(settings.interval.value_or(own_interval(*collector, config.interval)), config.interval);
    planned.push_back({std::move(collector), interval});
  }
  return planned;
}

std::string collector_list() {
  std::string out;
  for (const CollectorEntry& entry : collector_table())
    out += fmt::format("{:<14} {}\n", entry.name, entry.summary);
  return out;
}

}  // namespace vigil::agent
