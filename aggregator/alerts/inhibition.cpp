#include "aggregator/alerts/inhibition.h"

namespace vigil::alerts {
namespace {

constexpr std::string_view kInhibits = "vigil_inhibits";

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

}  // namespace

Inhibition::Inhibition(const AlertBook& book) {
  book.for_each([this](const Alert& alert) {
    if (alert.state == State::firing) add(alert);
  });
}

void Inhibition::add(const Alert& alert) {
  const std::string name(alert.labels.get("alertname"));
  for_each_word(alert.annotations.get(kInhibits), [&](std::string_view word) {
    if (word == "instance") {
      if (!alert.instance().empty())
        by_instance_.try_emplace(std::string(alert.instance()), Source{name, alert.fingerprint, Way::host});
    } else if (word != name) {  // or nobody would ever hear of it
      by_name_.try_emplace(std::string(word), Source{name, alert.fingerprint, Way::name});
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
  const auto name = by_name_.find(std::string(alert.labels.get("alertname")));
  if (name != by_name_.end()) return &name->second;
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
