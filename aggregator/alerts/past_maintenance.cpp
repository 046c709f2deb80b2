#include "aggregator/alerts/past_maintenance.h"

#include "aggregator/matchers/matchers.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace vigil::alerts {
namespace {

using silences::MaintenanceProgress;
using silences::Silence;

/// Its time that was last, if it is over by now.
bool has_ended(const Silence& silence, std::int64_t now_ms) {
  const MaintenanceProgress& progress = silence.progress;
  return silence.maintenance && progress.begun && (progress.ended || now_ms >= progress.end_ms) &&
         silence.state_at(now_ms) != silences::State::active;
}

bool held(const Silence& silence, const Labels& labels, const FiringTime& alert) {
  const MaintenanceProgress& progress = silence.progress;
  return alert.fired_ms < progress.end_ms && (alert.over_ms == 0 || alert.over_ms > progress.begin_ms) &&
         matchers::matches(silence.matchers, labels);
}

/// As the digest's sections are called.
std::string_view section_of(const MaintenanceProgress& progress, const FiringTime& alert) {
  const bool was_before = alert.fired_ms < progress.begin_ms;
  if (alert.over_ms == 0 || alert.over_ms > progress.end_ms)
    return was_before ? "still firing, since before it began" : "still firing, begun inside";
  return was_before ? "cleared" : "began and cleared inside";
}

/// Of the container that the alert is about: "" where it is about none, or about one that did not run before.
std::string_view container_text(const MaintenanceProgress& progress, const Labels& labels) {
  const std::string container = fmt::format("{}/{}", labels.get("instance"), labels.get("name"));
  if (std::ranges::find(progress.missing, container) != progress.missing.end())
    return "; its container ran before and did not at the end";
  const bool ran = std::ranges::find(progress.running, container) != progress.running.end();
  return ran ? "; its container ran again" : "";
}

/// A reload may have taken some of them away since.
std::string receivers_text(const std::vector<std::string>& names, const KnownMaintenances& known) {
  if (names.empty()) return "; nobody was told of it";
  std::vector<std::string> words;
  for (const std::string& name : names) {
    const bool is_there = std::ranges::find(known.receivers, name) != known.receivers.end();
    words.push_back(is_there ? name : name + " (no receiver now)");
  }
  return fmt::format("; its receivers: {}", fmt::join(words, ", "));
}

std::string digest_text(const Silence& silence, const Labels& labels, const FiringTime& alert,
                        const KnownMaintenances& known) {
  const MaintenanceProgress& progress = silence.progress;
  if (!progress.ended) return "its end is still to be told";
  return fmt::format("at its end: {}{}{}", section_of(progress, alert), container_text(progress, labels),
                     receivers_text(silence.maintenance->receivers, known));
}

}  // namespace

std::vector<Event> past_maintenances(const Labels& labels, const FiringTime& alert,
                                     const KnownMaintenances& known) {
  std::vector<Event> out;
  known.silences.for_each([&](const Silence& silence) {
    if (!has_ended(silence, known.now_ms) || !held(silence, labels, alert)) return;
    Event event;
    event.kind = Event::Kind::maintenance_over;
    event.at_ms = silence.progress.end_ms;
    event.by = silence.id;
    event.text =
        fmt::format("{}; {}", silence.maintenance->title, digest_text(silence, labels, alert, known));
    out.push_back(std::move(event));
  });
  return out;
}

}  // namespace vigil::alerts
