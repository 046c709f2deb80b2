#include "aggregator/alerts/alert_book.h"

#include "aggregator/alerts/messages.h"
#include "common/fnv1a.h"
#include "common/text/human.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <unordered_set>

namespace vigil::alerts {
namespace {

using promql::LabelsPtr;
using rules::Evaluation;
using rules::Rule;

std::string key_of(std::string_view rule_key, std::string_view scope) {
  std::string key(rule_key);
  key += '\0';
  key += scope;
  return key;
}

/// One of several texts: behind it a separator that is in no UTF-8 text.
std::uint64_t mix(std::uint64_t hash, std::string_view text) {
  return fnv1a(fnv1a(hash, text), static_cast<unsigned char>(0xFF));
}

/// What it says of itself when it flaps.
std::string flapping_text(const rules::Flapping& flapping) {
  return fmt::format(
      "began and ended {} times within {}: told once, and again when it has been quiet that long",
      flapping.changes, format_duration(flapping.within));
}

/// Flaps no more: whether it did. Its words are gone from its summary too, also where those of a query stay.
bool stop_flapping(Alert& alert) {
  if (alert.flapping_since_ms == 0) return false;
  alert.flapping_since_ms = alert.flap_changed_ms = 0;
  const std::string words = fmt::format(" (flapping: {})", flapping_text(alert.rule->extras.flapping));
  const std::string summary(alert.annotations.get("summary"));
  if (summary.ends_with(words))
    alert.annotations.set("summary", summary.substr(0, summary.size() - words.size()));
  alert.annotations.erase("flapping");
  return true;
}

}  // namespace

std::chrono::milliseconds longest_flapping(const rules::RuleSet& rules) {
  std::chrono::milliseconds longest{};
  for (const rules::RulePtr& rule : rules.rules()) longest = std::max(longest, rule->extras.flapping.within);
  return longest;
}

bool has_scope_of(const Rule& rule, std::string_view scope) {
  return (rule.scope == rules::Scope::fleet) == scope.empty();
}

std::string scope_in(const Rule& rule, const Alert& alert) {
  if (has_scope_of(rule, alert.scope)) return alert.scope;
  return rule.scope == rules::Scope::fleet ? std::string() : std::string(alert.series->get("instance"));
}

std::string fingerprint(std::string_view rule_key, const Labels& series) {
  std::uint64_t hash = mix(kFnvBasis, rule_key);
  for (const LabelView& label : series) hash = mix(mix(hash, label.name), label.value);
  return fmt::format("{:016x}", hash);
}

void AlertBook::restore(Alert alert) {
  alert.counted_to_ms = alert.last_true_ms;
  const std::string key = key_of(alert.rule->key, alert.scope);
  by_fingerprint_[alert.fingerprint] = {key, *alert.series};
  Labels series = *alert.series;
  groups_[key].insert_or_assign(std::move(series), std::move(alert));
}

/// Two true evaluations further apart than this have a gap between them, whatever samples there are: nobody
/// looked. What happened in a gap is unknown and does not count towards `for`.
std::int64_t AlertBook::longest_step_ms(const Rule& rule) const {
  const auto step = options_.step.count() > 0 ? options_.step : rule.interval;
  return std::max<std::int64_t>(3 * step.count(), 60'000);
}

std::string AlertBook::expand(const Alert& alert, const rules::NamedTemplate& text, std::int64_t t_ms) const {
  const rules::TemplateQuery query =
      options_.ask ? [&](std::string_view expr) { return options_.ask(expr, t_ms); } : rules::TemplateQuery();
  return text.compiled.expand_or_error(
      {*alert.series, alert.value, options_.external_labels, options_.external_url, t_ms, &query});
}

Labels AlertBook::labels_of(const Alert& alert, double value, std::int64_t t_ms) const {
  Alert with_value;
  with_value.series = alert.series;
  with_value.value = value;
  Labels sample = *alert.series;
  sample.erase(kMetricName);
  Labels labels = std::move(sample);
  for (const rules::NamedTemplate& label : alert.rule->labels)
    labels.set(label.name, expand(with_value, label, t_ms));
  labels.set("alertname", alert.rule->name);
  return labels;
}

/// That it flaps, waits to be cleared, or fires since there is no data.
void AlertBook::add_standing(const Alert& alert, Labels& annotations) {
  const rules::RuleExtras& extras = alert.rule->extras;
  if (alert.flapping_since_ms != 0 && extras.flapping) {
    annotations.set("flapping", flapping_text(extras.flapping));
    append_to_summary(annotations, "flapping: " + flapping_text(extras.flapping));
  }
  if (alert.lasting_since_ms != 0) append_to_summary(annotations, "not true any more, waits for clear");
  if (extras.on_no_data == rules::OnNoData::alert && std::isnan(alert.value))
    append_to_summary(annotations, "no data");
}

/// Labels and annotations as they are to be shown with `value`.
void AlertBook::describe(Alert& alert, double value, std::int64_t t_ms) const {
  alert.labels = labels_of(alert, value, t_ms);
  alert.value = value;
  alert.annotations = annotations_at(alert, t_ms);
}

Labels AlertBook::annotations_at(const Alert& alert, std::int64_t t_ms) const {
  Labels out = alert.rule->expr ? Labels() : alert.annotations;  // of a rule that is no more they stay
  for (const rules::NamedTemplate& text : alert.rule->annotations)
    out.set(text.name, expand(alert, text, t_ms));
  add_standing(alert, out);
  return out;
}

Labels AlertBook::annotations_now(const Alert& alert) const {
  if (!alert.rule->expr) return alert.annotations;  // of a rule that is no more
  Labels out;
  for (const rules::NamedTemplate& text : alert.rule->annotations) {
    const bool asks = text.compiled.queries();
    out.set(text.name,
            asks ? std::string(alert.annotations.get(text.name)) : expand(alert, text, alert.last_true_ms));
  }
  add_standing(alert, out);
  return out;
}

void AlertBook::restore_change(const std::string& series, std::int64_t t_ms) {
  auto& times = changes_[series];
  times.insert(std::ranges::upper_bound(times, t_ms), t_ms);
}

/// It began or ended: where the rule looks for that, whether it flaps.
void AlertBook::note_change(Alert& alert, std::int64_t t_ms) {
  const rules::Flapping& flapping = alert.rule->extras.flapping;
  if (!flapping) return;
  auto& times = changes_[fingerprint(alert.rule->key, *alert.series)];
  while (!times.empty() && times.front() < t_ms - flapping.within.count()) times.pop_front();
  times.push_back(t_ms);
  while (times.size() > static_cast<std::size_t>(flapping.changes)) times.pop_front();
  const bool flaps = times.size() == static_cast<std::size_t>(flapping.changes);
  if (!flaps || alert.state != State::firing) return;
  if (alert.flapping_since_ms == 0) alert.flapping_since_ms = t_ms;
  alert.flap_changed_ms = t_ms;
}

void AlertBook::end(Alert& alert, std::int64_t t_ms, std::string_view reason, std::vector<Transition>& out) {
  const State from = alert.state;
  alert.state = from == State::firing ? State::resolved : State::inactive;
  alert.resolved_at_ms = t_ms;
  alert.reason = reason;
  alert.lasting_since_ms = 0;
  alert.calmed = false;
  if (from == State::firing) {
    const bool was_flapping = stop_flapping(alert);
    alert.annotations = annotations_now(alert);
    if (was_flapping && reason.empty()) {
      changes_.erase(fingerprint(alert.rule->key, *alert.series));  // it was quiet for long enough
    } else if (!was_flapping) {
      note_change(alert, t_ms);
    }
  }
  out.push_back({from, alert.state, alert});
}

void AlertBook::begin(Alert& alert, std::int64_t t_ms, std::vector<Transition>& out) {
  const State from = std::exchange(alert.state, State::firing);
  alert.fired_at_ms = t_ms;
  note_change(alert, t_ms);
  describe(alert, alert.value, t_ms);
  out.push_back({from, State::firing, alert});
}

/// One that flapped and is true without a change for as long as it must be quiet flaps no more: whether that
/// is so now.
bool AlertBook::is_calm(Alert& alert, std::int64_t t_ms) {
  if (alert.flapping_since_ms == 0) return false;
  if (alert.false_since_ms != 0) alert.flap_changed_ms = t_ms;
  if (t_ms - alert.flap_changed_ms < alert.rule->extras.flapping.within.count()) return false;
  stop_flapping(alert);
  alert.calmed = true;
  changes_.erase(fingerprint(alert.rule->key, *alert.series));
  return true;
}

/// The time since the evaluation before counts towards `for`, as far as samples cover it: not while the host,
/// or we, were away, and not yet what is newer than the newest of them.
void AlertBook::count(Alert& alert, bool seen_before, const Moment& moment) const {
  const std::int64_t to_ms = std::min(moment.t_ms, moment.covered.until_ms);
  const std::int64_t counted_ms = to_ms - std::max(alert.counted_to_ms, moment.covered.since_ms);
  const bool is_gap = moment.t_ms - alert.last_true_ms > longest_step_ms(*alert.rule);
  if (counted_ms > 0 && seen_before && !is_gap) alert.held_ms += counted_ms;
  const bool clock_went_back = moment.t_ms < alert.last_true_ms;
  alert.counted_to_ms = clock_went_back ? to_ms : std::max(alert.counted_to_ms, to_ms);
}

void AlertBook::hold_true(Alert& alert, const rules::ActiveSample& sample, const Moment& moment,
                          std::vector<Transition>& out) {
  const std::int64_t t_ms = moment.t_ms;
  const bool is_new = alert.state == State::inactive;
  const bool seen_before = sample.has_data ? alert.no_data_since_ms == 0 : true;
  if (is_new) {
    alert.active_since_ms = t_ms;
    alert.counted_to_ms = std::min(t_ms, moment.covered.until_ms);
  } else {
    count(alert, seen_before, moment);
  }
  alert.last_true_ms = t_ms;
  const bool calmed = is_calm(alert, t_ms);
  const bool lasted = std::exchange(alert.lasting_since_ms, 0) != 0;
  alert.false_since_ms = 0;
  if (sample.has_data) {
    alert.no_data_since_ms = 0;
  } else if (alert.no_data_since_ms == 0) {
    alert.no_data_since_ms = t_ms;
  }
  const bool data_came_or_went = std::isnan(alert.value) != std::isnan(sample.value);
  alert.value = sample.value;
  if (alert.state == State::firing) {
    if (data_came_or_went || lasted || calmed) alert.annotations = annotations_at(alert, t_ms);
    if (!calmed) return;
    out.push_back({State::firing, State::firing, alert});
    return;
  }
  if (sample.is_true && alert.held_ms >= alert.rule->hold.count()) {
    begin(alert, t_ms, out);
  } else if (is_new) {
    describe(alert, sample.value, t_ms);
    alert.state = State::pending;
    out.push_back({State::inactive, State::pending, alert});
  }
}

/// It is not true any more, and fires until it is cleared: with the value of now.
void AlertBook::outlast(Alert& alert, double value, std::int64_t t_ms) {
  alert.value = value;
  if (alert.false_since_ms != 0) alert.flap_changed_ms = t_ms;  // it was cleared meanwhile
  alert.false_since_ms = 0;
  alert.no_data_since_ms = 0;
  if (alert.lasting_since_ms != 0) return;
  alert.lasting_since_ms = t_ms;
  alert.annotations = annotations_at(alert, t_ms);
}

/// What the sample means for the alert as it is.
void AlertBook::hold(Alert& alert, const rules::ActiveSample& sample, const Moment& moment,
                     std::vector<Transition>& out) {
  alert.times_true = sample.times_true;
  if (sample.is_true || (alert.state != State::firing && sample.keeps_pending)) {
    hold_true(alert, sample, moment, out);
  } else if (alert.state == State::firing && sample.keeps_firing) {
    outlast(alert, sample.value, moment.t_ms);
  } else {
    if (alert.state == State::firing) alert.value = sample.value;
    hold_false(alert, moment.t_ms, out);
  }
}

/// Labels with templates may change with the value, as severity: "{{ if gt $value 90.0 }}critical{{ else }}
/// warning{{ end }}", and all of them with a reload or a restart. An alert is its labels: with others the old
/// one is over and another begins.
void AlertBook::relabel(Alert& alert, double value, std::int64_t t_ms, std::vector<Transition>& out) {
  const auto& texts = alert.rule->labels;
  const auto changes = [](const rules::NamedTemplate& label) {
    return label.text.find("{{") != std::string::npos;
  };
  const bool has_other_rule = std::exchange(alert.has_other_rule, false);
  if (!has_other_rule && std::none_of(texts.begin(), texts.end(), changes)) return;
  const Labels labels = labels_of(alert, value, t_ms);
  if (labels == alert.labels) return;
  const std::int64_t held_ms = alert.held_ms;
  end(alert, t_ms, "its labels changed", out);
  const auto known = by_fingerprint_.extract(alert.fingerprint);
  Alert next;
  next.rule = alert.rule;
  next.scope = alert.scope;
  next.series = alert.series;
  if (has_other_rule) next.held_ms = held_ms;  // whoever edits a rule does not wait for it anew
  next.fingerprint = fingerprint(alert.rule->key + labels.to_string(), *alert.series);
  if (!known.empty()) by_fingerprint_[next.fingerprint] = known.mapped();
  alert = std::move(next);
}

std::int64_t AlertBook::keep_ms(const Alert& alert) {
  const std::int64_t keep = alert.rule->keep_firing_for.count();
  if (alert.flapping_since_ms == 0) return keep;
  return std::max<std::int64_t>(keep, alert.rule->extras.flapping.within.count());
}

void AlertBook::hold_false(Alert& alert, std::int64_t t_ms, std::vector<Transition>& out) {
  const std::int64_t keep = keep_ms(alert);
  if (alert.state == State::firing && keep > 0) {
    if (alert.false_since_ms == 0) alert.false_since_ms = t_ms;
    alert.lasting_since_ms = 0;
    alert.no_data_since_ms = 0;
    if (t_ms - alert.false_since_ms < keep) return;
  }
  end(alert, t_ms, "", out);
}

/// The alert a sample is about, a new one where it begins one; null: there is none, and none begins.
Alert* AlertBook::alert_of(const Evaluation& evaluation, const rules::ActiveSample& sample, const Key& key,
                           Alerts& alerts, std::vector<Transition>& out) {
  const auto known = alerts.find(*sample.labels);
  if (known != alerts.end()) {
    if (sample.begins && sample.has_data) relabel(known->second, sample.value, evaluation.t_ms, out);
    return &known->second;
  }
  if (!sample.begins) return nullptr;
  Alert& alert = alerts[*sample.labels];
  alert.rule = evaluation.rule;
  alert.scope = evaluation.scope;
  alert.series = sample.labels;
  alert.fingerprint = fingerprint(evaluation.rule->key, *sample.labels);
  by_fingerprint_[alert.fingerprint] = {key, *sample.labels};
  return &alert;
}

std::vector<Transition> AlertBook::apply(const Evaluation& evaluation) {
  std::vector<Transition> out;
  const std::string key = key_of(evaluation.rule->key, evaluation.scope);
  const auto group = groups_.find(key);
  if (group == groups_.end() && evaluation.active.empty()) return out;
  Alerts& alerts = group == groups_.end() ? groups_[key] : group->second;

  std::unordered_set<const Alert*> settled;
  for (const rules::ActiveSample& sample : evaluation.active) {
    Alert* alert = alert_of(evaluation, sample, key, alerts, out);
    if (alert == nullptr) continue;
    hold(*alert, sample, {evaluation.t_ms, evaluation.covered}, out);
    settled.insert(alert);
  }
  for (const LabelsPtr& labels : evaluation.unknown) {
    const auto found = alerts.find(*labels);
    if (found == alerts.end()) continue;
    if (found->second.no_data_since_ms == 0) found->second.no_data_since_ms = evaluation.t_ms;
    settled.insert(&found->second);
  }
  for (const LabelsPtr& labels : evaluation.gone) {
    const auto found = alerts.find(*labels);
    if (found == alerts.end()) continue;
    end(found->second, evaluation.t_ms, "its series is gone", out);
    settled.insert(&found->second);
  }
  for (auto& [labels, alert] : alerts) {
    if (!settled.contains(&alert)) hold_false(alert, evaluation.t_ms, out);
  }
  forget_ended(out);
  if (const auto left = groups_.find(key); left != groups_.end() && left->second.empty()) groups_.erase(left);
  return out;
}

void AlertBook::forget_ended(const std::vector<Transition>& transitions) {
  for (const Transition& transition : transitions) {
    if (transition.to != State::resolved && transition.to != State::inactive) continue;
    const auto found = by_fingerprint_.find(transition.alert.fingerprint);
    if (found == by_fingerprint_.end()) continue;
    const auto group = groups_.find(found->second.first);
    group->second.erase(found->second.second);
    if (group->second.empty()) groups_.erase(group);
    by_fingerprint_.erase(found);
  }
}

std::vector<Transition> AlertBook::expire(std::int64_t now_ms) {
  std::vector<Transition> out;
  std::erase_if(changes_,
                [&](const auto& entry) { return entry.second.back() < now_ms - longest_flapping_ms_; });
  for (auto& [key, alerts] : groups_) {
    for (auto& [labels, alert] : alerts) {
      const bool waits = alert.state == State::firing && alert.false_since_ms != 0;
      if (waits && now_ms - alert.false_since_ms >= keep_ms(alert)) end(alert, now_ms, "", out);
    }
  }
  forget_ended(out);
  return out;
}

/// The rule is evaluated for the whole fleet now, or for each host: under its old scope nobody would ever say
/// of the alert that it is over.
void AlertBook::rescope(const Key& key, const Labels& labels, std::int64_t now_ms,
                        std::vector<Transition>& out) {
  Alert& stray = groups_.at(key).at(labels);
  const std::string scope = scope_in(*stray.rule, stray);
  const Key to = key_of(stray.rule->key, scope);
  const bool is_taken = groups_.contains(to) && groups_.at(to).contains(labels);
  if (!has_scope_of(*stray.rule, scope) || is_taken) {
    end(stray, now_ms, "its rule looks elsewhere now", out);
    return;
  }
  auto moved = groups_.at(key).extract(labels);
  if (groups_.at(key).empty()) groups_.erase(key);
  moved.mapped().scope = scope;
  moved.mapped().is_moved = true;
  by_fingerprint_[moved.mapped().fingerprint] = {to, labels};
  groups_[to].insert(std::move(moved));
}

std::vector<Transition> AlertBook::adopt(const rules::RuleSet& rules, std::int64_t now_ms) {
  std::vector<Transition> out;
  std::vector<std::pair<Key, Labels>> strays;
  for (auto& [key, alerts] : groups_) {
    for (auto& [labels, alert] : alerts) {
      if (const rules::RulePtr same = rules.find(alert.rule->key)) {
        alert.rule = same;
        alert.has_other_rule = true;
        if (!has_scope_of(*same, alert.scope)) strays.emplace_back(key, labels);
      } else {
        end(alert, now_ms, "its rule was removed", out);
      }
    }
  }
  for (const auto& [key, labels] : strays) rescope(key, labels, now_ms, out);
  forget_ended(out);
  longest_flapping_ms_ = longest_flapping(rules).count();
  options_.external_labels = rules.external_labels();
  options_.external_url = rules.external_url();
  return out;
}

rules::KnownAlertsPtr AlertBook::moved() const {
  auto out = std::make_shared<rules::KnownAlerts>();
  for_each([&out](const Alert& alert) {
    if (!alert.is_moved) return;
    (*out)[{alert.rule->key, alert.scope}].push_back(
        {alert.series, alert.state == State::firing, alert.value});
  });
  return out;
}

std::vector<Transition> AlertBook::forget_host(std::string_view instance, std::int64_t now_ms) {
  std::vector<Transition> out;
  for (auto& [key, alerts] : groups_) {
    for (auto& [labels, alert] : alerts) {
      if (alert.scope == instance || alert.instance() == instance)
        end(alert, now_ms, "its host has left", out);
    }
  }
  forget_ended(out);
  return out;
}

void AlertBook::for_each(const std::function<void(const Alert&)>& visit) const {
  for (const auto& [key, alerts] : groups_) {
    for (const auto& [labels, alert] : alerts) visit(alert);
  }
}

const Alert* AlertBook::find(const std::string& wanted) const {
  const auto found = by_fingerprint_.find(wanted);
  if (found == by_fingerprint_.end()) return nullptr;
  return &groups_.at(found->second.first).at(found->second.second);
}

Alert* AlertBook::find(const std::string& wanted) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): this book is not const
  return const_cast<Alert*>(std::as_const(*this).find(wanted));
}

}  // namespace vigil::alerts
