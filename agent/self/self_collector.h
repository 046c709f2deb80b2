// What the agent costs and how it fares, as series like any other: its budget is watched with the rules that
// watch everything else.
#pragma once

#include "agent/delivery/delivery.h"
#include "agent/sampling/collector.h"
#include "common/tls/certificate_ends.h"

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
  bool reload_failed = false;      // the latest one
  std::size_t restart_needed = 0;  // keys changed in the file that wait for one
};

class SelfCollector final : public Collector {
 public:
  /// `beat` and `delivery` give the figures of the moment; `certificates` those that the agent uses.
  SelfCollector(std::function<BeatFigures()> beat, std::function<DeliveryFigures()> delivery,
                CertificateEnds certificates = CertificateEnds({}))
      : beat_(std::move(beat)), delivery_(std::move(delivery)), certificates_(std::move(certificates)) {}

  std::string_view name() const override { return "agent"; }
  std::string_view job() const override { return "vigil_agent"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(5); }
  Result<void> collect(const Tick& tick, Sheet& sheet) override;

 private:
  const std::function<BeatFigures()> beat_;
  const std::function<DeliveryFigures()> delivery_;
  CertificateEnds certificates_;
};

}  // namespace vigil::agent
