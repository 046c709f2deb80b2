#include "aggregator/rules/watch.h"

#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/parser.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <limits>
#include <unordered_map>
#include <unordered_set>

namespace vigil::rules {
namespace {

using promql::LabelsPtr;

const promql::EvalOptions& options() {
  static const promql::EvalOptions kOptions = [] {
    promql::EvalOptions made;
    made.max_samples = 5'000'000;
    return made;
  }();
  return kOptions;
}

/// An instant result as samples; a scalar is one sample without labels.
Result<promql::Vector> run(const promql::Expr& expr, promql::Storage& storage, std::int64_t t_ms) {
  auto value = promql::evaluate_instant(expr, storage, t_ms, options());
  if (!value) return value.error();
  if (auto* vector = std::get_if<promql::Vector>(&value->data)) return std::move(*vector);
  static const LabelsPtr kNone = std::make_shared<const Labels>();
  promql::Vector single;
  if (const auto* scalar = std::get_if<promql::Scalar>(&value->data))
    single.push_back({kNone, t_ms, scalar->v});
  return single;
}

using LabelSet = std::unordered_set<Labels, LabelsHash>;

Labels nameless(const Labels& labels) {
  Labels out = labels;
  out.erase(kMetricName);
  return out;
}

/// The label sets, without names, that have data. Where the rule has no way to tell: nothing.
Result<std::optional<LabelSet>> present_labels(const Rule& rule, promql::Storage& storage,
                                               std::int64_t t_ms) {
  if (!rule.presence) return std::optional<LabelSet>();
  const auto samples = run(*rule.presence, storage, t_ms - rule.query_offset.count());
  if (!samples) return samples.error();
  std::optional<LabelSet> found(std::in_place);
  LabelSet& present = *found;
  for (const promql::Sample& sample : *samples) present.insert(nameless(*sample.labels));
  return found;
}

/// Of a rule that looks at the fleet: whether a host is up. A host's own rules are not asked while it is
/// away.
class Hosts {
 public:
  enum class Is : std::uint8_t { up, down, gone };
  Hosts(const Rule& rule, promql::Storage& storage, std::int64_t t_ms)
      : is_asked_for_(rule.scope == Scope::fleet), storage_(storage), t_ms_(t_ms) {}

  Is operator()(std::string_view instance) {
    if (!is_asked_for_ || instance.empty()) return Is::up;
    if (!asked_) ask();
    if (!found_) return Is::up;  // nobody says anything of hosts
    const auto host = up_.find(std::string(instance));
    return host == up_.end() ? Is::gone : host->second ? Is::up : Is::down;
  }

 private:
  void ask() {
    static const auto kUp = promql::parse("max by (instance) (up)");
    assert(kUp);
    asked_ = true;
    const auto samples = run(**kUp, storage_, t_ms_);
    found_ = samples && !samples->empty();
    if (!found_) return;
    for (const promql::Sample& sample : *samples)
      up_[std::string(sample.labels->get("instance"))] = sample.v > 0;
  }

  const bool is_asked_for_;
  promql::Storage& storage_;
  const std::int64_t t_ms_;
  bool asked_ = false;
  bool found_ = false;
  std::unordered_map<std::string, bool> up_;
};

/// Whether the same host has other series of the rule.
bool has_siblings(const LabelSet& present, const Labels& labels) {
  const std::string_view instance = labels.get("instance");
  return std::any_of(present.begin(), present.end(),
                     [instance](const Labels& other) { return other.get("instance") == instance; });
}

/// Whether the host says that all its collectors work and its container runtimes answer: then what it does
/// not send is not there.
bool all_collectors_work(promql::Storage& storage, std::string_view instance, std::int64_t t_ms) {
  static const auto kWorst =
      promql::parse("min by (instance) (node_scrape_collector_success or vigil_container_runtime_up)");
  assert(kWorst);
  const auto samples = run(**kWorst, storage, t_ms);
  if (!samples) return false;
  const auto host = std::find_if(samples->begin(), samples->end(), [instance](const promql::Sample& sample) {
    return sample.labels->get("instance") == instance;
  });
  return host != samples->end() && host->v > 0;
}

/// Whether every label of `part` is one of `whole`.
bool is_part(const Labels& part, const Labels& whole) {
  return std::all_of(part.begin(), part.end(), [&whole](const LabelView& label) {
    return label.name == kMetricName || whole.get(label.name) == label.value;
  });
}

/// Which alerts go on although their condition is false, by the rule's `clear`. Asks when it is first needed.
class Outlasting {
 public:
  Outlasting(const Rule& rule, promql::Storage& storage, std::int64_t t_ms)
      : rule_(rule), storage_(storage), t_ms_(t_ms - rule.query_offset.count()) {}

  bool goes_on(const Labels& labels) {
    if (!rule_.extras.may_outlast()) return false;
    if (!asked_) ask();
    if (failed_) return true;  // nobody said that it is over
    if (rule_.extras.lasting) return lasting_.contains(nameless(labels));
    return std::none_of(cleared_.begin(), cleared_.end(),
                        [&labels](const Labels& each) { return is_part(each, labels); });
  }

  /// What the rule measures now, whether it is true or not; nothing where nobody can tell.
  std::optional<double> value_now(const Labels& labels) {
    if (!rule_.extras.measured) return std::nullopt;
    if (!values_) measure();
    const auto found = values_->find(nameless(labels));
    return found == values_->end() ? std::nullopt : std::optional(found->second);
  }

 private:
  void measure() {
    values_.emplace();
    const auto samples = run(*rule_.extras.measured, storage_, t_ms_);
    if (!samples) return;
    for (const promql::Sample& sample : *samples) values_->emplace(nameless(*sample.labels), sample.v);
  }

  void ask() {
    asked_ = true;
    const auto samples =
        run(rule_.extras.lasting ? *rule_.extras.lasting : *rule_.extras.clear, storage_, t_ms_);
    failed_ = !samples;
    if (failed_) return rule_.stats->note_error("clear: " + samples.error().message);
    for (const promql::Sample& sample : *samples) {
      if (rule_.extras.lasting) {
        lasting_.insert(nameless(*sample.labels));
      } else {
        cleared_.push_back(*sample.labels);
      }
    }
  }

  const Rule& rule_;
  promql::Storage& storage_;
  const std::int64_t t_ms_;
  bool asked_ = false;
  bool failed_ = false;
  LabelSet lasting_;
  std::vector<Labels> cleared_;
  std::optional<std::unordered_map<Labels, double, LabelsHash>> values_;
};

/// One evaluation of a rule: what is true goes to `out`, what is to be remembered to `next`.
class Judgement {
 public:
  Judgement(const Moment& moment, promql::Storage& storage)
      : rule_(*moment.rule),
        storage_(storage),
        outlasting_(rule_, storage, moment.t_ms),
        hosts_(rule_, storage, moment.t_ms),
        is_quiet_(moment.occasion == aggregator::Occasion::quiet),
        out_{moment.rule, {}, moment.t_ms, {}, {}, {}} {}

  void judge(promql::Vector samples, Memory& memory) {
    std::unordered_map<Labels, Remembered*, LabelsHash> before;
    for (Remembered& entry : memory) before.emplace(*entry.labels, &entry);
    for (promql::Sample& sample : samples) {
      if (watches_data()) sample.labels = std::make_shared<const Labels>(nameless(*sample.labels));
      const auto found = before.find(*sample.labels);
      Remembered entry{std::move(sample.labels), 0, 1, sample.v, 0, true, out_.t_ms};
      if (found != before.end()) {
        entry.history |= found->second->history << 1;
        if (found->second->missing_since_ms == 0) entry.data_since_ms = found->second->data_since_ms;
      }
      hold(std::move(entry), true);
      if (found != before.end()) before.erase(found);
    }
    if (before.empty() && !watches_data()) return;
    const auto asked = present_labels(rule_, storage_, out_.t_ms);
    if (!asked) rule_.stats->note_error("cannot tell missing data from none: " + asked.error().message);
    static const std::optional<LabelSet> kCannotTell;
    const std::optional<LabelSet>& present = asked ? *asked : kCannotTell;
    for (Remembered& entry : memory) {
      const auto left = before.find(*entry.labels);
      if (left == before.end() || left->second != &entry) continue;
      const bool is_there = asked && (!present || present->contains(nameless(*entry.labels)));
      if (is_there) {
        hold_false(std::move(entry));
      } else if (!asked || is_quiet_) {
        keep_unknown(std::move(entry));
      } else if (watches_data()) {
        miss(std::move(entry));
      } else {
        hold_missing(std::move(entry), *present);
      }
    }
    if (watches_data() && present) watch(*present);
  }

  Evaluation take(Memory& memory) {
    memory = std::move(next_);
    return std::move(out_);
  }

 private:
  bool watches_data() const { return rule_.extras.on_no_data == OnNoData::alert; }

  /// True now, as `entry` remembers already.
  void hold(Remembered entry, bool has_data) {
    const bool enough = rule_.extras.times.are_enough(entry.history);
    entry.is_active = true;
    entry.cleared_since_ms = 0;
    out_.active.push_back({entry.labels, entry.value, enough, true, true,
                           enough || rule_.extras.may_outlast(), has_data,
                           rule_.extras.times.count(entry.history)});
    next_.push_back(std::move(entry));
  }

  void hold_false(Remembered entry) {
    entry.history <<= 1;
    if (entry.missing_since_ms != 0) entry.data_since_ms = out_.t_ms;
    entry.missing_since_ms = 0;
    if (const auto now = outlasting_.value_now(*entry.labels)) entry.value = *now;
    const Times& times = rule_.extras.times;
    const bool enough = times.of > 1 && times.are_enough(entry.history);
    const bool lately = times.of > 1 && times.are_any(entry.history);
    const bool goes_on = enough || outlasting_.goes_on(*entry.labels);
    if (lately || goes_on) {
      out_.active.push_back(
          {entry.labels, entry.value, enough, false, lately, goes_on, true, times.count(entry.history)});
      entry.cleared_since_ms = 0;
      entry.is_active = true;
      next_.push_back(std::move(entry));
    } else {
      if (rule_.extras.measured && entry.is_active)
        out_.active.push_back({entry.labels, entry.value, false, false, false, false, true});
      const bool lasts = may_last_again(entry);
      if (!lasts && !watches_data()) return;
      entry.is_active = entry.is_active && lasts;  // it may be missed: since when it has data is to be known
      next_.push_back(std::move(entry));
    }
  }

  /// Its alert fires on for `clear_for`: until then it may be that it is not cleared after all.
  bool may_last_again(Remembered& entry) const {
    if (!rule_.extras.may_outlast() || rule_.keep_firing_for.count() == 0) return false;
    if (entry.cleared_since_ms == 0) entry.cleared_since_ms = out_.t_ms;
    return out_.t_ms - entry.cleared_since_ms <= rule_.keep_firing_for.count();
  }

  /// Nobody knows: neither true nor false.
  void keep_unknown(Remembered entry) {
    if (entry.is_active) out_.unknown.push_back(entry.labels);
    next_.push_back(std::move(entry));
  }

  /// It had data and has none, and that is an alert: as long as its host is there, and not for ever. What
  /// had data for a short time only is forgotten.
  void miss(Remembered entry) {
    const Hosts::Is host = hosts_(entry.labels->get("instance"));
    if (entry.missing_since_ms == 0) entry.missing_since_ms = out_.t_ms;
    const bool was_steady = entry.data_since_ms == 0 ||
                            entry.missing_since_ms - entry.data_since_ms >= rule_.extras.steady.count();
    if (!was_steady || host == Hosts::Is::gone || out_.t_ms - entry.missing_since_ms >= kMissedForMs) {
      if (entry.is_active) out_.gone.push_back(std::move(entry.labels));
      return;
    }
    if (host == Hosts::Is::down) return keep_unknown(std::move(entry));
    entry.history = entry.history << 1 | 1;
    entry.value = std::numeric_limits<double>::quiet_NaN();
    hold(std::move(entry), false);
  }

  void hold_missing(Remembered entry, const LabelSet& present) {
    const std::int64_t since = entry.missing_since_ms != 0 ? entry.missing_since_ms : out_.t_ms;
    const std::int64_t missing_ms = out_.t_ms - since;
    const bool is_gone = missing_ms >= kGoneAfterMs ||
                         (missing_ms >= kReplacedAfterMs &&
                          (has_siblings(present, *entry.labels) ||
                           all_collectors_work(storage_, entry.labels->get("instance"), out_.t_ms)));
    if (is_gone) {
      out_.gone.push_back(std::move(entry.labels));
      return;
    }
    out_.unknown.push_back(entry.labels);
    entry.missing_since_ms = since;
    next_.push_back(std::move(entry));
  }

  /// Remembers what has data, so that it can be missed.
  void watch(const LabelSet& present) {
    LabelSet known;
    for (const Remembered& entry : next_) known.insert(*entry.labels);
    for (const Labels& labels : present) {
      if (!known.contains(labels))
        next_.push_back({std::make_shared<const Labels>(labels), 0, 0, 0, 0, false, out_.t_ms});
    }
  }

  const Rule& rule_;
  promql::Storage& storage_;
  Outlasting outlasting_;
  Hosts hosts_;
  const bool is_quiet_;
  Evaluation out_;
  Memory next_;
};

/// Two series that differ in what the rule replaces would be one alert: Prometheus's error, in its words.
Result<void> check_distinct(const Rule& rule, const promql::Vector& samples) {
  if (samples.size() < 2) return {};
  const auto is_template = [](const NamedTemplate& label) {
    return label.text.find("{{") != std::string::npos;
  };
  if (std::any_of(rule.labels.begin(), rule.labels.end(), is_template)) return {};
  LabelSet seen;
  for (const promql::Sample& sample : samples) {
    Labels shown = nameless(*sample.labels);
    for (const NamedTemplate& label : rule.labels) shown.set(label.name, label.text);
    if (!seen.insert(std::move(shown)).second) {
      return fail(Errc::invalid_argument,
                  "vector contains metrics with the same labelset after applying alert labels");
    }
  }
  return {};
}

/// The samples of an alerting rule, as far as the rule may have them.
Result<promql::Vector> alert_samples(const Rule& rule, promql::Storage& storage, std::int64_t t_ms) {
  auto samples = query(rule, storage, t_ms);
  if (!samples) return samples;
  if (auto allowed = may_alert(rule, *samples); !allowed) return allowed.error();
  return samples;
}

}  // namespace

Result<void> may_alert(const Rule& rule, const promql::Vector& samples) {
  if (auto distinct = check_distinct(rule, samples); !distinct) return distinct;
  if (rule.limit > 0 && samples.size() > rule.limit)
    return fail(Errc::limit, "exceeded limit of {} with {} alerts", rule.limit, samples.size());
  return {};
}

Result<promql::Vector> query(const Rule& rule, promql::Storage& storage, std::int64_t t_ms) {
  return run(*rule.expr, storage, t_ms - rule.query_offset.count());
}

Result<promql::Vector> instant(const promql::Expr& expr, promql::Storage& storage, std::int64_t t_ms) {
  return run(expr, storage, t_ms);
}

StatsScope::StatsScope(RuleStats& stats, std::int64_t t_ms)
    : stats_(stats), began_(std::chrono::steady_clock::now()) {
  stats_.evaluations.fetch_add(1, std::memory_order_relaxed);
  stats_.last_evaluation_ms.store(t_ms, std::memory_order_relaxed);
}
StatsScope::~StatsScope() {
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - began_;
  stats_.last_duration_ns.store(took.count(), std::memory_order_relaxed);
}
void StatsScope::failed(const Error& error) {
  stats_.failures.fetch_add(1, std::memory_order_relaxed);
  stats_.note_error(error.message);
}

std::optional<Evaluation> evaluate(const Moment& moment, promql::Storage& storage, Memory& memory) {
  const Rule& rule = *moment.rule;
  StatsScope scope(*rule.stats, moment.t_ms);
  auto samples = alert_samples(rule, storage, moment.t_ms);
  if (!samples) {
    scope.failed(samples.error());
    return std::nullopt;
  }
  rule.stats->note_success();
  return judge(moment, std::move(*samples), storage, memory);
}

std::optional<Evaluation> judge(const Moment& moment, promql::Vector samples, promql::Storage& storage,
                                Memory& memory) {
  const bool watches_data = moment.rule->extras.on_no_data == OnNoData::alert;
  if (samples.empty() && memory.empty() && !watches_data) return std::nullopt;
  const bool was_active =
      !watches_data ||
      std::any_of(memory.begin(), memory.end(), [](const Remembered& entry) { return entry.is_active; });
  Judgement judgement(moment, storage);
  judgement.judge(std::move(samples), memory);
  Evaluation out = judgement.take(memory);
  if (!was_active && out.active.empty()) return std::nullopt;
  return out;
}

Remembered remembered(const KnownAlert& alert) {
  return {alert.labels, 0, alert.fires ? ~std::uint64_t{0} : 0, alert.value, 0, true, 0};
}

void add_known(const std::vector<KnownAlert>& alerts, Memory& memory) {
  LabelSet there;
  for (const Remembered& entry : memory) there.insert(*entry.labels);
  for (const KnownAlert& alert : alerts) {
    if (!there.contains(*alert.labels)) memory.push_back(remembered(alert));
  }
}

}  // namespace vigil::rules
