// Binary operators: scalars, vector with scalar, and the matching of two vectors.
#include "aggregator/promql/eval.h"
#include "aggregator/promql/label_filter.h"
#include "aggregator/promql/literals.h"

#include <cmath>

namespace vigil::promql {
namespace {

std::vector<bool> steps_with_values(const Block& block) {
  std::vector<bool> out(block.steps);
  for (std::size_t i = 0; i < block.values.size(); ++i) {
    if (has_value(block.values[i])) out[i % block.steps] = true;
  }
  return out;
}

double arithmetic(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add:
      return a + b;
    case BinaryOp::sub:
      return a - b;
    case BinaryOp::mul:
      return a * b;
    case BinaryOp::div:
      return a / b;
    case BinaryOp::mod:
      return std::fmod(a, b);
    case BinaryOp::pow:
      return std::pow(a, b);
    case BinaryOp::atan2:
      return std::atan2(a, b);
    default:
      assert(false);
      return 0;
  }
}

bool compare(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::eq:
      return a == b;
    case BinaryOp::ne:
      return a != b;
    case BinaryOp::gt:
      return a > b;
    case BinaryOp::lt:
      return a < b;
    case BinaryOp::ge:
      return a >= b;
    case BinaryOp::le:
      return a <= b;
    default:
      assert(false);
      return false;
  }
}

/// `kept` is what a filtering comparison lets through: the vector's value, or the left one's.
double combine(const Binary& binary, double a, double b, double kept) {
  if (!is_comparison(binary.op)) return arithmetic(binary.op, a, b);
  const bool holds = compare(binary.op, a, b);
  if (binary.comparison == ComparisonMode::boolean) return holds ? 1 : 0;
  return holds ? kept : kNoValue;
}

bool drops_name(const Binary& binary) {
  return !is_comparison(binary.op) || binary.comparison == ComparisonMode::boolean;
}

enum class VectorSide : std::uint8_t { left, right };

Result<Block> with_scalar(const Binary& binary, Block vector, const Block& scalar, VectorSide side) {
  for (std::size_t i = 0; i < vector.rows(); ++i) {
    const std::span<double> row = vector.row(i);
    for (std::size_t step = 0; step < row.size(); ++step) {
      const double v = row[step];
      if (!has_value(v)) continue;
      const double s = scalar.values[step];
      row[step] = side == VectorSide::left ? combine(binary, v, s, v) : combine(binary, s, v, v);
    }
  }
  if (drops_name(binary)) {
    vector.drop_names();
  } else {
    vector.drop_empty_rows();
  }
  return vector;
}

LabelFilter matching_filter(const VectorMatching& matching) {
  return matching.mode == MatchMode::on ? LabelFilter::on(matching.labels)
                                        : LabelFilter::ignoring(matching.labels);
}

/// The rows of each key, in row order.
std::vector<std::vector<std::size_t>> rows_by_key(const Block& block, const LabelFilter& filter,
                                                  KeyIndex& index) {
  std::vector<std::vector<std::size_t>> rows;
  index.reserve(block.rows());
  for (std::size_t i = 0; i < block.rows(); ++i) {
    const std::size_t key = index.insert(*block.labels[i], filter);
    if (key == rows.size()) rows.emplace_back();
    rows[key].push_back(i);
  }
  return rows;
}

// --- and, or, unless
// -------------------------------------------------------------------------------------------------

/// Per key and step: 1 where some row of the block has a value.
std::vector<std::uint8_t> presence(const Block& block, const LabelFilter& filter, KeyIndex& index) {
  const auto rows = rows_by_key(block, filter, index);
  std::vector<std::uint8_t> present(rows.size() * block.steps, 0);
  for (std::size_t key = 0; key < rows.size(); ++key) {
    for (const std::size_t i : rows[key]) {
      const std::span<const double> row = block.row(i);
      for (std::size_t step = 0; step < block.steps; ++step)
        present[key * block.steps + step] |= has_value(row[step]) ? 1 : 0;
    }
  }
  return present;
}

enum class Keep : std::uint8_t { matched, unmatched };

/// Blanks the steps of `block` where `other` has (or has not) something of the same key.
void keep_steps(Block& block, const Block& other, const LabelFilter& filter, Keep keep) {
  KeyIndex index;
  const std::vector<std::uint8_t> present = presence(other, filter, index);
  for (std::size_t i = 0; i < block.rows(); ++i) {
    const std::size_t key = index.find(*block.labels[i], filter);
    const std::span<double> row = block.row(i);
    for (std::size_t step = 0; step < row.size(); ++step) {
      const bool matched = key != KeyIndex::kNone && present[key * block.steps + step] != 0;
      if (matched != (keep == Keep::matched)) row[step] = kNoValue;
    }
  }
  block.drop_empty_rows();
}

Result<Block> unite(Block left, Block right, const LabelFilter& filter) {
  if (left.rows() == 0) return right;
  keep_steps(right, left, filter, Keep::unmatched);
  if (right.rows() == 0) return left;
  left.one_name = false;
  for (std::size_t i = 0; i < right.rows(); ++i)
    std::ranges::copy(right.row(i), left.add_row(std::move(right.labels[i]), right.names[i]).begin());
  if (auto ok = merge_duplicates(left); !ok) return ok.error();
  return left;
}

// --- arithmetic and comparison of two vectors
// --------------------------------------------------------------------------

/// With the name among the labels, as Prometheus prints them in errors.
std::string braced(const Labels& labels) {
  std::string out = "{";
  for (const LabelView& label : labels) {
    if (out.size() > 1) out += ", ";
    out += label.name;
    out += '=';
    out += quote(label.value);
  }
  return out + '}';
}

/// One evaluation of `many OP one`; with one-to-one matching "many" is the left side.
class PairMatcher {
 public:
  PairMatcher(const Binary& binary, const Block& many, const Block& one)
      : binary_(binary),
        many_(many),
        one_(one),
        filter_(matching_filter(binary.matching)),
        output_filter_(drops_name(binary) && !includes_name() ? LabelFilter::ignoring({})
                                                              : LabelFilter::all()),
        one_rows_(rows_by_key(one, filter_, keys_)) {}

  Result<Block> run(Block empty) {
    out_ = std::move(empty);
    if (auto ok = check_one_side(); !ok) return ok.error();
    out_.one_name = !builds_labels() && many_.one_name;
    for (std::size_t i = 0; i < many_.rows(); ++i) {
      const std::size_t key = keys_.find(*many_.labels[i], filter_);
      if (key == KeyIndex::kNone) continue;
      for (const std::size_t j : one_rows_[key]) {
        if (auto ok = match(i, j, key); !ok) return ok.error();
      }
    }
    out_.drop_empty_rows();
    return std::move(out_);
  }

 private:
  bool grouped() const { return binary_.matching.cardinality != Cardinality::one_to_one; }
  bool includes_name() const {
    return std::ranges::find(binary_.matching.include, kMetricName) != binary_.matching.include.end();
  }
  /// Whether result labels differ from the many side's (but for the name).
  bool builds_labels() const {
    return grouped() ? !binary_.matching.include.empty()
                     : binary_.matching.mode == MatchMode::on || !binary_.matching.labels.empty();
  }

  /// Only at steps where the other side has anything at all: elsewhere nothing is matched.
  Result<void> check_one_side() const {
    std::vector<std::size_t> owner;
    std::vector<bool> is_matched;
    for (const std::vector<std::size_t>& rows : one_rows_) {
      if (rows.size() < 2) continue;
      if (is_matched.empty()) is_matched = steps_with_values(many_);
      owner.assign(one_.steps, KeyIndex::kNone);
      for (const std::size_t row : rows) {
        const std::span<const double> values = one_.row(row);
        for (std::size_t step = 0; step < values.size(); ++step) {
          if (!has_value(values[step]) || !is_matched[step]) continue;
          if (owner[step] != KeyIndex::kNone) return ambiguous(owner[step], row);
          owner[step] = row;
        }
      }
    }
    return {};
  }

  Error ambiguous(std::size_t a, std::size_t b) const {
    const bool right = binary_.matching.cardinality != Cardinality::one_to_many;
    std::string first = braced(*one_.labels[a]);
    std::string second = braced(*one_.labels[b]);
    if (second < first) std::swap(first, second);
    return fail(
        Errc::invalid_argument,
        "found duplicate series for the match group {} on the {} hand-side of the operation: [{}, {}];"
        "many-to-many matching not allowed: matching labels must be unique on one side",
        braced(filter_.apply(*one_.labels[a])), right ? "right" : "left", first, second);
  }

  Result<void> match(std::size_t many, std::size_t one, std::size_t key) {
    const std::span<const double> m = many_.row(many);
    const std::span<const double> o = one_.row(one);
    const bool swapped = binary_.matching.cardinality == Cardinality::one_to_many;
    std::size_t out = KeyIndex::kNone;
    for (std::size_t step = 0; step < m.size(); ++step) {
      if (!has_value(m[step]) || !has_value(o[step])) continue;
      if (out == KeyIndex::kNone) out = output_row(many, one);
      // One-to-one: one match per key, even when the comparison then lets it fall.
      std::uint8_t& seen = matched(grouped() ? out : key, step);
      if (seen != 0) return several_matches(many);
      seen = 1;
      const double left = swapped ? o[step] : m[step];
      const double right = swapped ? m[step] : o[step];
      const double value = combine(binary_, left, right, left);
      if (has_value(value)) out_.row(out)[step] = value;
    }
    return {};
  }

  Error several_matches(std::size_t many) const {
    if (grouped()) {
      return fail(Errc::invalid_argument,
                  "multiple matches for labels: grouping labels must ensure unique matches: {}",
                  braced(*many_.labels[many]));
    }
    return fail(
        Errc::invalid_argument,
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right): {}",
        braced(filter_.apply(*many_.labels[many])));
  }

  /// Labels that were built for the result are without the name unless group_left or group_right put one
  /// there.
  Names result_name(std::size_t many) const {
    if (includes_name()) return Names::kept;
    if (!drops_name(binary_)) return many_.names[many];
    return builds_labels() ? Names::kept : Names::dropped;
  }

  /// The row of `out_` for this pair. Pairs share one when their result labels are the same.
  std::size_t output_row(std::size_t many, std::size_t one) {
    const bool hides_name = drops_name(binary_);
    const Names name = result_name(many);
    const bool own_row = !builds_labels() && (!hides_name || many_.one_name);
    if (own_row) {
      if (last_many_ != many) out_.add_row(many_.labels[many], name);
      last_many_ = many;
      return out_.rows() - 1;
    }
    LabelsPtr labels = builds_labels() ? build_labels(many, one) : many_.labels[many];
    const std::size_t row = outputs_.insert(*labels, output_filter_);
    if (row == out_.rows()) out_.add_row(std::move(labels), name);  // keeps alive what the index refers to
    if (name == Names::dropped) out_.names[row] = name;
    return row;
  }

  std::uint8_t& matched(std::size_t slot, std::size_t step) {
    const std::size_t needed = (slot + 1) * many_.steps;
    if (matched_.size() < needed) matched_.resize(std::max(needed, 2 * matched_.size()), 0);
    return matched_[slot * many_.steps + step];
  }

  LabelsPtr build_labels(std::size_t many, std::size_t one) const {
    Labels labels = *many_.labels[many];
    if (drops_name(binary_)) labels.erase(kMetricName);
    if (grouped()) {
      for (const std::string& name : binary_.matching.include) labels.set(name, one_.labels[one]->get(name));
    } else if (binary_.matching.mode == MatchMode::on) {
      labels = filter_.apply(labels);
    } else {
      for (const std::string& name : binary_.matching.labels) labels.erase(name);
    }
    return std::make_shared<const Labels>(std::move(labels));
  }

  const Binary& binary_;
  const Block& many_;
  const Block& one_;
  const LabelFilter filter_;
  const LabelFilter output_filter_;
  KeyIndex keys_;
  const std::vector<std::vector<std::size_t>> one_rows_;
  KeyIndex outputs_;
  std::vector<std::uint8_t> matched_;  // per key (one-to-one) or output row (grouped), and step
  std::size_t last_many_ = KeyIndex::kNone;
  Block out_;
};

Result<Block> between_vectors(Evaluator& evaluator, const Binary& binary, Block left, Block right,
                              const Grid& grid) {
  const LabelFilter filter = matching_filter(binary.matching);
  switch (binary.op) {
    case BinaryOp::set_and:
      keep_steps(left, right, filter, Keep::matched);
      return left;
    case BinaryOp::set_unless:
      keep_steps(left, right, filter, Keep::unmatched);
      return left;
    case BinaryOp::set_or:
      return unite(std::move(left), std::move(right), filter);
    default:
      break;
  }
  const bool swapped = binary.matching.cardinality == Cardinality::one_to_many;
  const Block& many = swapped ? right : left;
  const Block& one = swapped ? left : right;
  auto out = evaluator.new_block(grid, many.rows());
  if (!out || many.rows() == 0 || one.rows() == 0) return out;
  return PairMatcher(binary, many, one).run(std::move(*out));
}

}  // namespace

Result<Block> eval_binary(Evaluator& evaluator, const Binary& binary, const Grid& grid) {
  auto left = evaluator.eval(*binary.lhs, grid);
  if (!left) return left;
  auto right = evaluator.eval(*binary.rhs, grid);
  if (!right) return right;
  const bool left_vector = binary.lhs->type == ValueType::vector;
  const bool right_vector = binary.rhs->type == ValueType::vector;
  if (left_vector && right_vector)
    return between_vectors(evaluator, binary, std::move(*left), std::move(*right), grid);
  if (right_vector) return with_scalar(binary, std::move(*right), *left, VectorSide::right);
  return with_scalar(binary, std::move(*left), *right, VectorSide::left);
}

}  // namespace vigil::promql
