#include "aggregator/alerts/inhibition.h"

#include <algorithm>

namespace vigil::alerts {
namespace {

constexpr std::string_view kInhibits = "vigil_inhibits";
constexpr std::string_view kOfHost = "instance";  // all of its own host

/// The alert's labels without its severity, as text.
std::string identity(const Alert& alert) {
  Labels labels = alert.labels;
  labels.erase("severity");
  return labels.to_string();
}

template <class Visit>
void for_each_word(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const std::size_t end = list.find_first_of(", ");
    if (end != 0) visit(list.substr(0, end));
    if (end == std::string_view::npos) return;
    list.remove_prefix(end + 1);
  }
}

/// Whether the alert's rule keeps back alerts called `name`.
bool names(const Alert& alert, std::string_view name) {
  bool found = false;
  for_each_word(alert.annotations.get(kInhibits), [&](std::string_view word) { found |= word == name; });
  return found;
}

}  // namespace

bool inhibits_by_name(const Alert& alert) {
  bool found = false;
  for_each_word(alert.annotations.get(kInhibits),
                [&found](std::string_view word) { found |= word != kOfHost; });
  return found;
}

Inhibition::IsMuted muted_by(const silences::SilenceBook& silences, std::int64_t now_ms) {
  return [&silences, now_ms](const Alert& alert) { return silences.is_muted(alert.labels, now_ms); };
}

Inhibition::Inhibition(const AlertBook& book, const IsMuted& is_muted) {
  book.for_each([&](const Alert& alert) {
    if (alert.state == State::firing) add(alert, is_muted);
  });
}

void Inhibition::add(const Alert& alert, const IsMuted& is_muted) {
  const std::string name(alert.labels.get("alertname"));
  const bool is_mute = is_muted && inhibits_by_name(alert) && is_muted(alert);
  for_each_word(alert.annotations.get(kInhibits), [&](std::string_view word) {
    if (word == kOfHost) {
      if (!alert.instance().empty())
        by_instance_.try_emplace(std::string(alert.instance()), Source{name, alert.fingerprint, Way::host});
    } else if (!is_mute) {
      std::vector<Source>& sources = by_name_[std::string(word)];
      if (std::none_of(sources.begin(), sources.end(),
                       [&](const Source& source) { return source.name == name; }))
        sources.push_back({name, alert.fingerprint, Way::name});
    }
  });
  Worst& worst = worst_[identity(alert)];
  const notify::Severity severity = notify::parse_severity(alert.severity());
  if (severity >= worst.severity)
    worst = {severity, {fmt::format("{} ({})", name, alert.severity()), alert.fingerprint, Way::severity}};
}

std::string_view Inhibition::inhibitor_of(const Alert& alert) const {
  const Source* source = source_of(alert);
  return source == nullptr ? std::string_view() : std::string_view(source->name);
}

const Inhibition::Source* Inhibition::source_of(const Alert& alert) const {
  const std::string_view own_name = alert.labels.get("alertname");
  if (const auto found = by_name_.find(std::string(own_name)); found != by_name_.end()) {
    for (const Source& source : found->second) {
      if (source.name != own_name && !names(alert, source.name)) return &source;
    }
  }
  if (!alert.annotations.has(kInhibits)) {
    const auto host = by_instance_.find(std::string(alert.instance()));
    if (host != by_instance_.end()) return &host->second;
  }
  const auto worst = worst_.find(identity(alert));
  const bool is_lesser =
      worst != worst_.end() && worst->second.severity > notify::parse_severity(alert.severity());
  return is_lesser ? &worst->second.source : nullptr;
}

}  // namespace vigil::alerts
