#include "aggregator/channels/backlog.h"

#include "common/text/utf8.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vigil::channels {
namespace {

using notify::Group;
using notify::Kind;
using notify::Notification;

Labels cleaned(const Labels& labels) {
  std::vector<Label> out;
  for (const LabelView& label : labels) out.push_back({well_formed(label.name), well_formed(label.value)});
  return Labels(std::move(out));
}

void clean(Notification& note) {
  for (std::string* text :
       {&note.key, &note.fingerprint, &note.rule_key, &note.group, &note.alert, &note.severity,
        &note.instance, &note.expr, &note.reason, &note.link, &note.occasion, &note.title})
    *text = well_formed(*text);
  note.labels = cleaned(note.labels);
  note.annotations = cleaned(note.annotations);
  for (notify::Evidence& table : note.evidence) {
    table.title = well_formed(table.title);
    for (notify::EvidenceRow& row : table.rows) row = {well_formed(row.name), well_formed(row.value)};
  }
}

/// A row that is of no group is told of all the same.
Group group_of(const notify::Row& row) {
  if (row.group) return *row.group;
  Group group;
  group.key = row.note.rule_key;
  group.alerts.push_back(row.note);
  return group;
}

}  // namespace

Group merged(const notify::Shipment& shipment) {
  Group out = group_of(shipment.rows.back());
  std::set<std::string> told;
  for (const Notification& alert : out.alerts) told.insert(alert.fingerprint);
  for (auto row = std::next(shipment.rows.rbegin()); row != shipment.rows.rend(); ++row) {
    for (Notification& alert : group_of(*row).alerts) {
      const bool is_news = told.insert(alert.fingerprint).second;
      if (is_news && alert.kind == Kind::resolved) out.alerts.push_back(std::move(alert));
    }
  }
  std::stable_partition(out.alerts.begin(), out.alerts.end(),
                        [](const Notification& alert) { return alert.kind == Kind::firing; });
  for (Notification& alert : out.alerts) clean(alert);
  out.key = well_formed(out.key);
  out.receiver = well_formed(out.receiver);
  out.labels = cleaned(out.labels);
  return out;
}

const Notification& worst_of(const Group& group) {
  static const Notification kNone;
  if (group.alerts.empty()) return kNone;
  const auto less = [](const Notification& a, const Notification& b) {
    const auto rank = [](const Notification& note) {
      return std::pair(note.kind == Kind::firing, notify::parse_severity(note.severity));
    };
    return rank(a) < rank(b);
  };
  return *std::max_element(group.alerts.begin(), group.alerts.end(), less);
}

bool is_firing(const Group& group) {
  return std::any_of(group.alerts.begin(), group.alerts.end(),
                     [](const Notification& alert) { return alert.kind == Kind::firing; });
}

}  // namespace vigil::channels
