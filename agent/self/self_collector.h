// What the agent costs and how it fares, as series like any other: its budget is watched with the rules that
// watch everything else.
#pragma once

#include "agent/delivery/delivery.h"
#include "agent/sampling/collector.h"

#include <chrono>
#include <functional>

namespace vigil::agent {

/// Figures of the beat's thread, which also runs the collector.
struct BeatFigures {
  std::uint64_t missed = 0;
  std::uint64_t left_out = 0;
  std::chrono::nanoseconds latest{0};  // how late the latest beat of the last interval came
  std::size_t series = 0;
  std::uint64_t series_left_out = 0;
};

class SelfCollector final : public Collector {
 public:
  /// `beat` and `delivery` give the figures of the moment.
  SelfCollector(std::function<BeatFigures()> beat, std::function<DeliveryFigures()> delivery)
      : beat_(std::move(beat)), delivery_(std::move(delivery)) {}

  std::string_view name() const override { return "agent"; }
  std::string_view job() const override { return "vigil_agent"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(5); }
  Result<void> collect(const Tick& tick, Sheet& sheet) override;

 private:
  const std::function<BeatFigures()> beat_;
  const std::function<DeliveryFigures()> delivery_;
};

}  // namespace vigil::agent
