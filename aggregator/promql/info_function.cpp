// info(): adds the labels of info metrics, such as target_info, to series of the same instance and job.
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/label_filter.h"

#include <optional>

namespace vigil::promql {
namespace {

constexpr std::string_view kDefaultInfoMetric = "target_info";

bool is_identifying(std::string_view label) {
  return label == "instance" || label == "job";
}

/// What the second argument asks for.
struct Wanted {
  std::vector<Matcher> metrics;  // of the info metric's name
  std::vector<Matcher> data;     // of its other labels; empty: all labels are taken
};

Result<Wanted> read_wanted(const Call& call) {
  Wanted wanted;
  if (call.args.size() > 1) {
    for (const Matcher& matcher : std::get<VectorSelector>(call.args[1]->node).matchers)
      (matcher.name() == kMetricName ? wanted.metrics : wanted.data).push_back(matcher);
  }
  if (wanted.metrics.empty()) {
    auto matcher = Matcher::create(MatchOp::equal, std::string(kMetricName), std::string(kDefaultInfoMetric));
    if (!matcher) return matcher.error();
    wanted.metrics.push_back(std::move(*matcher));
  }
  return wanted;
}

bool matches_all(const std::vector<Matcher>& matchers, const Labels& labels) {
  return std::ranges::all_of(matchers, [&labels](const Matcher& matcher) { return matcher.matches(labels); });
}

/// The info metrics are looked at when the first selector of the argument is.
TimeShift first_shift(const Expr& expr) {
  if (const auto* selector = std::get_if<VectorSelector>(&expr.node)) return selector->shift;
  if (const auto* matrix = std::get_if<MatrixSelector>(&expr.node)) return matrix->selector.shift;
  std::optional<TimeShift> found;
  for_each_child(expr, [&found](const Expr& child) {
    if (!found && child.type != ValueType::scalar) found = first_shift(child);
  });
  return found.value_or(TimeShift());
}

/// Finds for a series and a step the info series that are current.
class InfoSeries {
 public:
  /// `times` has when each info series had its latest sample, in seconds.
  explicit InfoSeries(const Block& times) : times_(times) {
    for (std::size_t i = 0; i < times.rows(); ++i) {
      const std::size_t key = keys_.insert(*times.labels[i], filter_);
      if (key == rows_.size()) rows_.emplace_back();
      rows_[key].push_back(i);
    }
  }

  /// One row per info metric: of several with the same name the newest. Fails when two are equally new.
  Result<std::vector<std::size_t>> current(const Labels& labels, std::size_t step) const {
    std::vector<std::size_t> out;
    const std::size_t key = keys_.find(labels, filter_);
    if (key == KeyIndex::kNone) return out;
    for (const std::size_t row : rows_[key]) {
      const double time = times_.row(row)[step];
      if (!has_value(time)) continue;
      const std::string_view name = times_.labels[row]->get(kMetricName);
      const auto rival = std::ranges::find_if(
          out, [&](std::size_t other) { return times_.labels[other]->get(kMetricName) == name; });
      if (rival == out.end()) {
        out.push_back(row);
      } else if (times_.row(*rival)[step] < time) {
        *rival = row;
      } else if (times_.row(*rival)[step] == time) {
        return fail(Errc::invalid_argument, "found duplicate series for info metric: {} and {}",
                    times_.labels[*rival]->to_string(), times_.labels[row]->to_string());
      }
    }
    return out;
  }

 private:
  const Block& times_;
  const LabelFilter filter_ = LabelFilter::on({"instance", "job"});
  KeyIndex keys_;
  std::vector<std::vector<std::size_t>> rows_;
};

/// Adds the labels of `info` that are wanted and that the series does not have.
Result<void> add_labels(Labels& added, const Labels& base, const Labels& info, const Wanted& wanted) {
  for (const LabelView& label : info) {
    if (label.name == kMetricName || is_identifying(label.name) || base.has(label.name)) continue;
    const auto named = [&label](const Matcher& matcher) { return matcher.name() == label.name; };
    if (!wanted.data.empty() && std::ranges::none_of(wanted.data, named)) continue;
    if (added.has(label.name) && added.get(label.name) != label.value)
      return fail(Errc::invalid_argument, "conflicting label: {}", label.name);
    added.set(label.name, label.value);
  }
  return {};
}

/// The labels of `base` with those of its info metrics at a step; nothing when a wanted label is missing.
Result<std::optional<Labels>> enriched(const Labels& base, const std::vector<std::size_t>& infos,
                                       const Block& times, const Wanted& wanted) {
  Labels added;
  for (const std::size_t row : infos) {
    if (auto ok = add_labels(added, base, *times.labels[row], wanted); !ok) return ok.error();
  }
  if (infos.empty()) {
    const auto demands = [](const Matcher& matcher) { return !matcher.matches(std::string_view{}); };
    if (std::ranges::any_of(wanted.data, demands)) return std::optional<Labels>();
  }
  Labels out = base;
  for (const LabelView& label : added) out.set(label.name, label.value);
  return std::optional<Labels>(std::move(out));
}

/// Copies one series into the rows of its label sets, which may change from step to step.
Result<void> enrich_row(Evaluator& evaluator, const Block& block, std::size_t row, const Block& times,
                        const InfoSeries& infos, const Wanted& wanted, Block& out) {
  std::vector<std::size_t> previous;
  std::size_t target = KeyIndex::kNone;
  bool fresh = true;
  for (std::size_t step = 0; step < block.steps; ++step) {
    const double value = block.row(row)[step];
    if (!has_value(value)) continue;
    if (!evaluator.pulse().working(100)) return evaluator.pulse().check();
    auto current = infos.current(*block.labels[row], step);
    if (!current) return current.error();
    if (fresh || *current != previous) {
      fresh = false;
      auto labels = enriched(*block.labels[row], *current, times, wanted);
      if (!labels) return labels.error();
      target = KeyIndex::kNone;
      if (*labels) {
        if (auto ok = evaluator.pulse().hold(block.steps); !ok) return ok;
        target = out.rows();
        out.add_row(std::make_shared<const Labels>(std::move(**labels)), block.names[row]);
      }
      previous = std::move(*current);
    }
    if (target != KeyIndex::kNone) out.row(target)[step] = value;
  }
  return {};
}

}  // namespace

Result<Block> call_info(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& call = std::get<Call>(expr.node);
  const auto wanted = read_wanted(call);
  if (!wanted) return wanted.error();
  const auto block = evaluator.eval(*call.args[0], grid);
  if (!block) return block.error();
  VectorSelector selector;
  selector.matchers = wanted->metrics;
  selector.matchers.insert(selector.matchers.end(), wanted->data.begin(), wanted->data.end());
  selector.shift = first_shift(*call.args[0]);
  const auto times = evaluator.eval_selector(selector, grid, Evaluator::Take::timestamp_seconds);
  if (!times) return times.error();
  const InfoSeries infos(*times);
  Block out = make_block(grid);
  for (std::size_t row = 0; row < block->rows(); ++row) {
    const Labels& labels = *block->labels[row];
    if (labels.has(kMetricName) && matches_all(wanted->metrics, labels)) {  // an info metric itself
      if (auto ok = evaluator.pulse().hold(grid.steps); !ok) return ok.error();
      std::ranges::copy(block->row(row), out.add_row(block->labels[row], block->names[row]).begin());
      continue;
    }
    if (auto ok = enrich_row(evaluator, *block, row, *times, infos, *wanted, out); !ok) return ok.error();
  }
  out.held = Held(evaluator.pulse(), out.values.size());
  if (auto ok = merge_duplicates(out); !ok) return ok.error();
  return out;
}

}  // namespace vigil::promql
