#include "aggregator/trial/replay.h"

#include "aggregator/alerts/alert_book.h"
#include "aggregator/promql/evaluator.h"
#include "aggregator/rules/recording.h"
#include "aggregator/rules/watch.h"
#include "aggregator/trial/test_storage.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <unordered_map>
#include <unordered_set>

namespace vigil::trial {
namespace {

constexpr std::int64_t kMostSteps = 50'000;
constexpr std::int64_t kPart = 2'000;  // steps evaluated at once: what is held in memory
constexpr std::size_t kMaxSamples = 20'000'000;

using LabelSet = std::unordered_set<Labels, LabelsHash>;

/// What was recorded so far, on top of what is stored.
class Layered : public promql::Storage {
 public:
  Layered(promql::Storage& below, TestStorage& recorded) : below_(below), recorded_(recorded) {}

  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override {
    auto recorded = recorded_.select(selection);
    if (!recorded) return recorded;
    auto found = below_.select(selection);
    if (!found || recorded->empty()) return found;
    // What is replayed takes the place of what the rules in force recorded.
    std::unordered_map<Labels, std::size_t, LabelsHash> places;
    for (std::size_t i = 0; i < found->size(); ++i) places.emplace(*(*found)[i].labels, i);
    for (promql::SelectedSeries& series : *recorded) {
      const auto place = places.find(*series.labels);
      if (place == places.end()) {
        found->push_back(std::move(series));
      } else {
        (*found)[place->second] = std::move(series);
      }
    }
    return found;
  }

  Result<void> visit(const promql::Selection& selection, promql::SeriesSink& sink) override {
    const auto recorded = recorded_.select(selection);
    if (!recorded) return recorded.error();
    return recorded->empty() ? below_.visit(selection, sink) : Storage::visit(selection, sink);
  }

 private:
  promql::Storage& below_;
  TestStorage& recorded_;
};

/// The account of one rule's alerts.
class Account {
 public:
  void take(const alerts::Transition& transition, std::int64_t t_ms) {
    if (transition.from == transition.to) return;  // it fires on
    if (transition.to == alerts::State::firing) {
      begin(transition.alert.labels, t_ms);
    } else if (transition.from == alerts::State::firing) {
      end(transition.alert.labels, t_ms);
    } else if (transition.from == alerts::State::pending) {
      ++pending_only_;
    }
  }

  void finish(std::int64_t end_ms, ReplayedRule& out) {
    out.pending_only = pending_only_;
    for (auto& [labels, open] : open_) {
      open.alert.firing = open.since_ms != 0;
      if (open.since_ms != 0) close(open, end_ms);
      out.count += open.alert.count;
      out.total_ms += open.alert.total_ms;
      out.longest_ms = std::max(out.longest_ms, open.alert.longest_ms);
      out.alerts.push_back(std::move(open.alert));
    }
    std::sort(out.alerts.begin(), out.alerts.end(), [](const ReplayedAlert& a, const ReplayedAlert& b) {
      return a.total_ms != b.total_ms ? a.total_ms > b.total_ms : a.labels < b.labels;
    });
  }

 private:
  struct Open {
    ReplayedAlert alert;
    std::int64_t since_ms = 0;  // 0: does not fire
  };

  void begin(const Labels& labels, std::int64_t t_ms) {
    Open& open = open_[labels];
    if (open.alert.count++ == 0) {
      open.alert.labels = labels;
      open.alert.first_ms = t_ms;
    }
    open.alert.last_ms = t_ms;
    open.since_ms = t_ms;
  }
  void end(const Labels& labels, std::int64_t t_ms) {
    const auto found = open_.find(labels);
    if (found == open_.end() || found->second.since_ms == 0) return;
    close(found->second, t_ms);
  }
  static void close(Open& open, std::int64_t t_ms) {
    const std::int64_t took_ms = t_ms - open.since_ms;
    open.alert.total_ms += took_ms;
    open.alert.longest_ms = std::max(open.alert.longest_ms, took_ms);
    open.since_ms = 0;
  }

  std::map<Labels, Open> open_;
  std::uint64_t pending_only_ = 0;
};

/// One alerting rule on its way through the span.
struct Watched {
  explicit Watched(alerts::AlertBookOptions options) : book(std::move(options)) {}
  alerts::AlertBook book;
  rules::Memory memory;
  Account account;
};

class Replay {
 public:
  Replay(const ReplayInput& input, const ReplaySpan& span) : input_(input), span_(span) {
    recorded_.set_now(std::numeric_limits<std::int64_t>::max() / 2);
    for (const rules::RulePtr& rule : input.rules.rules()) order_.push_back(rule);
    // Recording rules first, in their order: what alerts of other groups look at.
    std::stable_partition(order_.begin(), order_.end(),
                          [](const rules::RulePtr& rule) { return rule->kind == rules::RuleKind::record; });
    for (const rules::RulePtr& rule : order_) results_[rule.get()].rule = rule;
  }

  Result<std::vector<ReplayedRule>> run() {
    const std::int64_t steps = (span_.end_ms - span_.start_ms) / span_.step_ms + 1;
    const std::int64_t parts = (steps + kPart - 1) / kPart;
    for (std::int64_t part = 0; part < parts; ++part) {
      const std::int64_t first = part * kPart;
      const std::int64_t last = std::min(first + kPart, steps) - 1;
      const promql::TimeRange range{span_.start_ms + first * span_.step_ms,
                                    span_.start_ms + last * span_.step_ms, span_.step_ms};
      for (std::size_t i = 0; i < order_.size(); ++i) {
        evaluate(order_[i], range);
        const double done =
            static_cast<double>(part) + static_cast<double>(i + 1) / static_cast<double>(order_.size());
        done_ = done / static_cast<double>(parts);
        if (input_.progress && !input_.progress(done_)) return fail(Errc::unavailable, "cancelled");
      }
    }
    return finish();
  }

 private:
  void evaluate(const rules::RulePtr& rule, const promql::TimeRange& range) {
    const auto stored = input_.open_storage();
    Layered storage(*stored, recorded_);
    promql::EvalOptions options;
    options.max_samples = kMaxSamples;
    if (input_.progress) options.expired = [this] { return !input_.progress(done_); };
    const std::int64_t offset = rule->query_offset.count();
    auto matrix = promql::evaluate_range(
        *rule->expr, storage, {range.start_ms - offset, range.end_ms - offset, range.step_ms}, options);
    if (!matrix) {
      note_error(*rule, matrix.error());
      return;
    }
    if (rule->kind == rules::RuleKind::record) {
      record(*rule, matrix->series, range);
    } else {
      watch(rule, matrix->series, storage, range);
    }
  }

  void note_error(const rules::Rule& rule, const Error& error) {
    std::string& kept = results_[&rule].error;
    if (kept.empty()) kept = error.message;
  }

  using Steps = std::map<std::int64_t, promql::Vector>;

  /// What a rule gave at each step; only steps with samples.
  static Steps by_step(const promql::Matrix& matrix, std::int64_t offset) {
    Steps steps;
    for (const promql::Series& series : matrix) {
      for (const promql::Point& point : series.points)
        steps[point.t_ms + offset].push_back({series.labels, point.t_ms + offset, point.v});
    }
    return steps;
  }

  void record(const rules::Rule& rule, const promql::Matrix& matrix, const promql::TimeRange& range) {
    const std::int64_t offset = rule.query_offset.count();
    auto& before = given_[&rule];
    const Steps steps = by_step(matrix, offset);
    for (std::int64_t t_ms = range.start_ms; t_ms <= range.end_ms; t_ms += range.step_ms) {
      const auto at = steps.find(t_ms);
      auto samples = rules::as_recorded(rule, at == steps.end() ? promql::Vector() : at->second);
      if (!samples) {
        note_error(rule, samples.error());
        continue;
      }
      if (recorded_count_ += samples->size(); recorded_count_ > kMaxSamples) {
        note_error(rule, fail(Errc::limit,
                              "the rules record more than {} samples; replay less time, or in longer steps",
                              kMaxSamples));
        return;
      }
      LabelSet now;
      for (const promql::Sample& sample : *samples) {
        recorded_.add(*sample.labels, {t_ms - offset, sample.v});
        before.erase(*sample.labels);
        now.insert(*sample.labels);
      }
      for (const Labels& labels : before) recorded_.add(labels, {t_ms - offset, stale_marker()});
      before = std::move(now);
      results_[&rule].recorded += samples->size();
    }
  }

  Watched& watched(const rules::Rule& rule) {
    const auto found = watched_.find(&rule);
    if (found != watched_.end()) return found->second;
    alerts::AlertBookOptions options;
    options.external_labels = input_.rules.external_labels();
    options.external_url = input_.rules.external_url();
    options.step = std::chrono::milliseconds(span_.step_ms);
    Watched& made = watched_.try_emplace(&rule, std::move(options)).first->second;
    (void)made.book.adopt(input_.rules, span_.start_ms);  // there are no alerts yet: how far back it looks
    return made;
  }

  void watch(const rules::RulePtr& rule, const promql::Matrix& matrix, promql::Storage& storage,
             const promql::TimeRange& range) {
    Watched& watched = this->watched(*rule);
    Steps steps = by_step(matrix, rule->query_offset.count());
    const bool watches_data = rule->extras.on_no_data == rules::OnNoData::alert;
    const auto take = [&watched](const std::vector<alerts::Transition>& transitions, std::int64_t t_ms) {
      for (const alerts::Transition& transition : transitions) watched.account.take(transition, t_ms);
    };
    for (std::int64_t t_ms = range.start_ms; t_ms <= range.end_ms; t_ms += range.step_ms) {
      const auto at = steps.find(t_ms);
      if (at == steps.end() && !watches_data && watched.memory.empty() && watched.book.size() == 0) continue;
      promql::Vector samples = at == steps.end() ? promql::Vector() : std::move(at->second);
      if (const auto allowed = rules::may_alert(*rule, samples); !allowed) {
        note_error(*rule, allowed.error());
        continue;
      }
      const auto evaluation = rules::judge({rule, t_ms}, std::move(samples), storage, watched.memory);
      if (evaluation) take(watched.book.apply(*evaluation), t_ms);
      take(watched.book.expire(t_ms), t_ms);
    }
  }

  std::vector<ReplayedRule> finish() {
    std::vector<ReplayedRule> out;
    for (const rules::RulePtr& rule : input_.rules.rules()) {
      ReplayedRule& result = results_[rule.get()];
      if (const auto found = watched_.find(rule.get()); found != watched_.end())
        found->second.account.finish(span_.end_ms, result);
      out.push_back(std::move(result));
    }
    return out;
  }

  const ReplayInput& input_;
  const ReplaySpan span_;
  std::vector<rules::RulePtr> order_;
  double done_ = 0;  // share of the whole
  TestStorage recorded_;
  std::size_t recorded_count_ = 0;
  std::map<const rules::Rule*, LabelSet> given_;  // by recording rules, at the step before
  std::map<const rules::Rule*, Watched> watched_;
  std::map<const rules::Rule*, ReplayedRule> results_;
};

}  // namespace

std::int64_t choose_step_ms(const rules::RuleSet& rules, std::int64_t span_ms) {
  constexpr std::array<std::int64_t, 12> kRound = {1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600};
  std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
  for (const rules::RulePtr& rule : rules.rules()) shortest = std::min(shortest, rule->interval.count());
  if (rules.rules().empty()) shortest = 1000;
  if (span_ms / shortest <= kMostSteps) return shortest;
  for (const std::int64_t seconds : kRound) {
    if (seconds * 1000 >= shortest && span_ms / (seconds * 1000) <= kMostSteps) return seconds * 1000;
  }
  return std::max(kRound.back() * 1000, span_ms / kMostSteps);
}

Result<std::vector<ReplayedRule>> replay(const ReplayInput& input, const ReplaySpan& span) {
  if (span.step_ms <= 0 || span.end_ms < span.start_ms)
    return fail(Errc::invalid_argument, "the span must end after it begins, in steps of more than 0");
  return Replay(input, span).run();
}

}  // namespace vigil::trial
