#include "agent/once.h"

#include "agent/plan.h"
#include "common/clock.h"
#include "common/text/exposition.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

namespace vigil::agent {
namespace {

/// With the labels that have no value, as exporters print them; to Prometheus an empty label is an absent
/// one.
std::vector<LabelView> all_labels(const Family& family, const Labels& present) {
  std::vector<LabelView> labels(present.begin(), present.end());
  for (const std::string_view name : family.labels) {
    if (!name.empty() && !present.has(name)) labels.push_back({name, ""});
  }
  std::sort(labels.begin(), labels.end(),
            [](const LabelView& a, const LabelView& b) { return a.name < b.name; });
  return labels;
}

/// Keeps each source's newest row, and gathers samples by family: the exposition wants a family's lines
/// together.
class Exposition final : public FrameSink {
 public:
  void take(const Frame& frame) override {
    std::map<std::string, std::string>& samples = samples_[frame.schema.source_id];
    samples.clear();
    for (std::size_t i = 0; i < frame.values.size(); ++i) {
      if (frame.values[i] == kAbsent) continue;
      const SeriesSpec& spec = frame.schema.series[i];
      std::string& heading = headings_[spec.name];
      if (heading.empty()) append_family(heading, spec.name, frame.families[i]->help, to_string(spec.type));
      append_sample_as_is(samples[spec.name], spec.name, all_labels(*frame.families[i], spec.labels),
                          to_double(frame.values[i], spec.encoding, spec.scale));
    }
  }
  std::string text() const {
    std::string out;
    for (const auto& [name, heading] : headings_) {
      out += heading;
      for (const auto& [source, samples] : samples_) {
        if (const auto found = samples.find(name); found != samples.end()) out += found->second;
      }
    }
    return out;
  }

 private:
  std::map<std::string, std::string> headings_;                          // by family
  std::map<std::uint32_t, std::map<std::string, std::string>> samples_;  // by source and family
};

/// Sleeps until a collector that runs apart has ended.
class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    changed_.notify_all();
  }
  void wait(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

Tick tick_now() {
  return {wall_ms(), std::chrono::steady_clock::now()};
}

}  // namespace

std::string collect_once(const AgentConfig& config) {
  Bell bell;  // outlives the runner, whose threads ring it
  Runner runner(
      plan_collectors(config), {.max_series = config.max_series}, [&bell] { bell.ring(); },
      std::chrono::steady_clock::now());
  Exposition exposition;
  const Tick tick = tick_now();
  runner.beat(tick, exposition);
  while (runner.waiting()) {
    bell.wait(std::chrono::milliseconds(100));
    runner.poll(std::chrono::steady_clock::now(), exposition);
  }
  runner.report(tick_now(), exposition);
  return exposition.text();
}

}  // namespace vigil::agent
