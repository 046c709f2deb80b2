#include "aggregator/channels/template_data.h"

#include "aggregator/channels/backlog.h"
#include "aggregator/channels/moment.h"
#include "aggregator/channels/time_format.h"
#include "aggregator/notify/text.h"
#include "aggregator/rules/template_object.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::channels {
namespace {

using notify::Notification;
using rules::TemplateArgs;
using rules::TemplateList;
using rules::TemplateMap;
using rules::TemplateObject;
using rules::TemplateValue;

TemplateValue list_value(std::vector<TemplateValue> items) {
  return TemplateValue(std::make_shared<const TemplateList>(TemplateList{std::move(items)}));
}
TemplateValue map_value(std::map<std::string, TemplateValue> entries) {
  return TemplateValue(std::make_shared<const TemplateMap>(TemplateMap{std::move(entries)}));
}

enum class Side : std::uint8_t { names, values };

/// Alertmanager's order: the alert's name, then all by name.
std::vector<LabelView> in_order(const Labels& labels) {
  std::vector<LabelView> out(labels.begin(), labels.end());
  std::stable_partition(out.begin(), out.end(),
                        [](const LabelView& label) { return label.name == "alertname"; });
  return out;
}

TemplateValue texts_of(const Labels& labels, Side side) {
  std::vector<TemplateValue> texts;
  for (const LabelView& label : in_order(labels))
    texts.emplace_back(std::string(side == Side::names ? label.name : label.value));
  return list_value(std::move(texts));
}

/// Fields, and nothing else. One that is not there is a mistake, other than of a map.
class Record : public TemplateObject {
 public:
  Record(std::string_view type, std::map<std::string, TemplateValue> fields)
      : type_(type), fields_(std::make_shared<const TemplateMap>(TemplateMap{std::move(fields)})) {}

  std::string_view type() const override { return type_; }
  Result<TemplateValue> member(const std::string& name, TemplateArgs args) const override {
    const auto found = fields_->entries.find(name);
    if (found == fields_->entries.end()) return no_such_member(*this, name);
    if (!args.empty()) return fail(Errc::invalid_argument, "{} is no method", name);
    return found->second;
  }
  TemplateValue plain() const override { return TemplateValue(fields_); }

 private:
  std::string_view type_;
  std::shared_ptr<const TemplateMap> fields_;
};

/// A set of labels as a list in order.
class Pairs : public TemplateObject {
 public:
  explicit Pairs(Labels labels) : labels_(std::move(labels)) {}

  std::string_view type() const override { return "Pairs"; }
  Result<TemplateValue> member(const std::string& name, TemplateArgs /*args*/) const override {
    if (name == "Names") return texts_of(labels_, Side::names);
    if (name == "Values") return texts_of(labels_, Side::values);
    return no_such_member(*this, name);
  }
  TemplateValue plain() const override {
    std::vector<TemplateValue> items;
    for (const LabelView& label : in_order(labels_))
      items.push_back(map_value({{"Name", std::string(label.name)}, {"Value", std::string(label.value)}}));
    return list_value(std::move(items));
  }

 private:
  const Labels labels_;
};

class LabelSet : public TemplateObject {
 public:
  explicit LabelSet(Labels labels) : labels_(std::make_shared<const Labels>(std::move(labels))) {}

  std::string_view type() const override { return "KV"; }
  Result<TemplateValue> member(const std::string& name, TemplateArgs args) const override {
    if (name == "Remove") return remove(args);
    if (!args.empty()) return fail(Errc::invalid_argument, "{} takes no argument", name);
    if (name == "SortedPairs") return TemplateValue(std::make_shared<const Pairs>(*labels_));
    if (name == "Names") return texts_of(*labels_, Side::names);
    if (name == "Values") return texts_of(*labels_, Side::values);
    return TemplateValue(std::string(labels_->get(name)));
  }
  TemplateValue plain() const override { return TemplateValue(labels_); }

 private:
  Result<TemplateValue> remove(TemplateArgs args) const {
    const TemplateValue given = args.size() == 1 ? rules::plain_value(args[0]) : TemplateValue();
    const auto* names = std::get_if<std::shared_ptr<const TemplateList>>(&given);
    if (names == nullptr)
      return fail(Errc::invalid_argument, "Remove wants a list of names, as (stringSlice \"a\" \"b\")");
    Labels left = *labels_;
    for (const TemplateValue& item : (*names)->items) {
      const auto name = rules::template_text(item);
      if (!name) return name.error();
      left.erase(*name);
    }
    return TemplateValue(std::make_shared<const LabelSet>(std::move(left)));
  }

  rules::TemplateLabels labels_;
};

TemplateValue label_set(const Labels& labels) {
  return TemplateValue(std::make_shared<const LabelSet>(labels));
}

TemplateValue rows_value(const std::vector<notify::EvidenceRow>& rows) {
  std::vector<TemplateValue> out;
  out.reserve(rows.size());
  for (const notify::EvidenceRow& row : rows)
    out.push_back(map_value({{"Name", notify::one_line(row.name)}, {"Value", notify::one_line(row.value)}}));
  return list_value(std::move(out));
}

TemplateValue evidence_value(const Notification& note) {
  std::vector<TemplateValue> out;
  for (const notify::Evidence& table : note.evidence)
    out.push_back(map_value({{"Title", notify::one_line(table.title)}, {"Rows", rows_value(table.rows)}}));
  return list_value(std::move(out));
}

/// What was done about it.
TemplateValue actions_value(const Notification& note) {
  const auto found = std::ranges::find(note.evidence, notify::kActionsTitle, &notify::Evidence::title);
  return rows_value(found == note.evidence.end() ? std::vector<notify::EvidenceRow>() : found->rows);
}

/// `apart` as notify::labels_apart() has it.
TemplateValue alert_value(const Notification& note, std::string_view apart) {
  const bool is_over = note.kind == notify::Kind::resolved;
  return TemplateValue(std::make_shared<const Record>(
      "Alert", std::map<std::string, TemplateValue>{
                   {"Status", std::string(to_string(note.kind))},
                   {"Labels", label_set(note.labels)},
                   {"Annotations", label_set(note.annotations)},
                   {"StartsAt", moment_value(note.fired_at_ms)},
                   {"EndsAt", moment_value(is_over ? note.resolved_at_ms : kZeroTimeMs)},
                   {"GeneratorURL", note.link},
                   {"Fingerprint", note.fingerprint},
                   {"Title", notify::one_line(notify::title_of(note))},
                   {"Host", notify::one_line(notify::place_of(note))},
                   {"Summary", notify::summary_of(note)},
                   {"Headline", notify::headline_of(note, apart)},
                   {"Occasion", notify::one_line(note.occasion)},
                   {"Description", std::string(is_over ? "" : note.annotations.get("description"))},
                   {"Value", notify::one_line(notify::value_text(note))},
                   {"ValueName", std::string(notify::value_name(note))},
                   {"Severity", notify::one_line(notify::status_word(note))},
                   {"Expr", note.expr},
                   {"Runbook", std::string(notify::runbook_of(note))},
                   {"Reason", note.reason},
                   {"Evidence", evidence_value(note)},
                   {"Actions", actions_value(note)},
                   {"Since", moment_value(note.active_since_ms)},
                   {"Lasted", is_over ? notify::duration_text(note, note.resolved_at_ms) : std::string()}}));
}

/// Alerts, with those that fire and those that do not.
class AlertList : public TemplateObject {
 public:
  explicit AlertList(const std::vector<Notification>& alerts) {
    const std::vector<std::string> apart = notify::labels_apart(alerts);
    for (std::size_t i = 0; i < alerts.size(); ++i) {
      const TemplateValue value = alert_value(alerts[i], apart[i]);
      all_.push_back(value);
      (alerts[i].kind == notify::Kind::firing ? firing_ : resolved_).push_back(value);
    }
  }

  std::string_view type() const override { return "Alerts"; }
  Result<TemplateValue> member(const std::string& name, TemplateArgs /*args*/) const override {
    if (name == "Firing") return list_value(firing_);
    if (name == "Resolved") return list_value(resolved_);
    return no_such_member(*this, name);
  }
  TemplateValue plain() const override { return list_value(all_); }

 private:
  std::vector<TemplateValue> all_, firing_, resolved_;
};

Labels common(const notify::Group& group, Labels Notification::*labels) {
  if (group.alerts.empty()) return {};
  Labels out = group.alerts.front().*labels;
  for (const Notification& alert : group.alerts) {
    std::vector<std::string> differing;
    for (const LabelView& label : out) {
      if ((alert.*labels).get(label.name) != label.value) differing.emplace_back(label.name);
    }
    for (const std::string& name : differing) out.erase(name);
  }
  return out;
}

}  // namespace

Labels common_labels(const notify::Group& group) {
  return common(group, &Notification::labels);
}
Labels common_annotations(const notify::Group& group) {
  return common(group, &Notification::annotations);
}

TemplateValue template_data(const notify::Group& group, const std::string& external_url,
                            std::map<std::string, TemplateValue> more) {
  const Notification& worst = worst_of(group);
  more.merge(std::map<std::string, TemplateValue>{
      {"Receiver", group.receiver},
      {"Status", std::string(is_firing(group) ? "firing" : "resolved")},
      {"Alerts", TemplateValue(std::make_shared<const AlertList>(group.alerts))},
      {"GroupLabels", label_set(group.labels)},
      {"CommonLabels", label_set(common_labels(group))},
      {"CommonAnnotations", label_set(common_annotations(group))},
      {"ExternalURL", external_url},
      {"Severity", notify::one_line(notify::status_word(worst))},
      {"Color", std::string(notify::colour_of(worst))},
      {"Counted", notify::count_of(group)},
      {"LeftOut", static_cast<std::int64_t>(group.left_out)}});
  return TemplateValue(std::make_shared<const Record>("Data", std::move(more)));
}

}  // namespace vigil::channels
