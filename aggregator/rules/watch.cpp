#include "aggregator/rules/watch.h"

#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/parser.h"

#include <algorithm>
#include <cassert>
#include <chrono>
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

/// The label sets, without names, that have data, or nothing when that cannot be told.
std::optional<LabelSet> present_labels(const Rule& rule, promql::Storage& storage, std::int64_t t_ms) {
  if (!rule.presence) return std::nullopt;
  const auto samples = run(*rule.presence, storage, t_ms - rule.query_offset.count());
  if (!samples) return std::nullopt;
  LabelSet present;
  for (const promql::Sample& sample : *samples) present.insert(nameless(*sample.labels));
  return present;
}

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

/// Sorts those that were active and are not now into false, unknown and gone.
void judge_missing(const Memory& missing, promql::Storage& storage, Evaluation& out, Memory& memory) {
  if (missing.empty()) return;
  const auto present = present_labels(*out.rule, storage, out.t_ms);
  for (const Remembered& entry : missing) {
    if (!present || present->contains(nameless(*entry.labels))) continue;  // false
    const std::int64_t since = entry.missing_since_ms != 0 ? entry.missing_since_ms : out.t_ms;
    const std::int64_t missing_ms = out.t_ms - since;
    const bool is_gone = missing_ms >= kGoneAfterMs ||
                         (missing_ms >= kReplacedAfterMs &&
                          (has_siblings(*present, *entry.labels) ||
                           all_collectors_work(storage, entry.labels->get("instance"), out.t_ms)));
    if (is_gone) {
      out.gone.push_back(entry.labels);
    } else {
      out.unknown.push_back(entry.labels);
      memory.push_back({entry.labels, since});
    }
  }
}

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

std::optional<Evaluation> evaluate(const RulePtr& rule, promql::Storage& storage, std::int64_t t_ms,
                                   Memory& memory) {
  StatsScope scope(*rule->stats, t_ms);
  auto samples = alert_samples(*rule, storage, t_ms);
  if (!samples) {
    scope.failed(samples.error());
    return std::nullopt;
  }
  rule->stats->note_success();
  return judge({rule, t_ms}, std::move(*samples), storage, memory);
}

std::optional<Evaluation> judge(const Moment& moment, promql::Vector samples, promql::Storage& storage,
                                Memory& memory) {
  if (samples.empty() && memory.empty()) return std::nullopt;
  Evaluation out{moment.rule, {}, moment.t_ms, {}, {}, {}};
  Memory next;
  LabelSet active;
  for (promql::Sample& sample : samples) {
    if (!memory.empty()) active.insert(*sample.labels);
    next.push_back({sample.labels, 0});
    out.active.push_back({std::move(sample.labels), sample.v});
  }
  Memory missing;
  for (Remembered& entry : memory) {
    if (!active.contains(*entry.labels)) missing.push_back(std::move(entry));
  }
  judge_missing(missing, storage, out, next);
  memory = std::move(next);
  return out;
}

}  // namespace vigil::rules
