// label_replace() and label_join().
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/literals.h"

#include <re2/re2.h>

namespace vigil::promql {
namespace {

constexpr std::size_t kMaxPatternBytes = 1000;
constexpr std::int64_t kMaxRegexMemory = 4 << 20;
// `$1$1$1...` of a long label could otherwise grow without bounds.
constexpr std::size_t kMaxLabelBytes = 65'536;

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

std::string_view group_text(const re2::RE2& re, const std::vector<re2::StringPiece>& groups,
                            std::string_view name) {
  std::size_t index = groups.size();
  if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }) && name.size() < 4) {
    index = 0;
    for (const char c : name) index = index * 10 + static_cast<std::size_t>(c - '0');
  } else if (const auto at = re.NamedCapturingGroups().find(std::string(name));
             at != re.NamedCapturingGroups().end()) {
    index = static_cast<std::size_t>(at->second);
  }
  if (index >= groups.size()) return {};
  return {groups[index].data(), groups[index].size()};
}

/// Go's regexp.Expand: `$name` takes the longest name, `${name}` is explicit, `$$` is a dollar, an unknown
/// group is empty.
std::string expand(std::string_view pattern, const re2::RE2& re,
                   const std::vector<re2::StringPiece>& groups) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size() && out.size() <= kMaxLabelBytes;) {
    if (pattern[i] != '$' || i + 1 == pattern.size()) {
      out += pattern[i++];
      continue;
    }
    const bool braces = pattern[i + 1] == '{';
    const std::size_t start = i + (braces ? 2 : 1);
    std::size_t end = start;
    while (end < pattern.size() && is_name_character(pattern[end])) ++end;
    const bool closed = !braces || (end < pattern.size() && pattern[end] == '}');
    if (pattern[i + 1] == '$') {
      out += '$';
      i += 2;
    } else if (end == start || !closed) {
      out += pattern[i++];  // not a reference: stands for itself
    } else {
      out += group_text(re, groups, pattern.substr(start, end - start));
      i = end + (braces ? 1 : 0);
    }
  }
  if (out.size() > kMaxLabelBytes) out.resize(kMaxLabelBytes);
  return out;
}

Error bad_label(const Expr& expr, const std::string& name) {
  return fail(Errc::invalid_argument, "{}:{}: invalid destination label name {}", expr.line, expr.column,
              quote(name));
}

bool is_label_name(const std::string& name) {
  return !name.empty() && is_utf8(name);
}

/// Sets a label of a row. A name that is set stays, even if it was to be dropped.
void set_label(Block& block, std::size_t row, std::string_view name, std::string_view value) {
  if (name == kMetricName) block.names[row] = Names::kept;
  LabelsPtr& labels = block.labels[row];
  if (labels->get(name) == value) return;
  Labels changed = *labels;
  changed.set(name, value);
  labels = std::make_shared<const Labels>(std::move(changed));
}

}  // namespace

Result<Block> call_label_replace(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& call = std::get<Call>(expr.node);
  const std::string& destination = string_argument(*call.args[1]);
  const std::string& replacement = string_argument(*call.args[2]);
  const std::string& source = string_argument(*call.args[3]);
  const std::string& pattern = string_argument(*call.args[4]);
  if (!is_label_name(destination)) return bad_label(expr, destination);
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(kMaxRegexMemory);
  const re2::RE2 re(pattern.size() <= kMaxPatternBytes ? pattern : "(", options);
  if (!re.ok())
    return fail(Errc::invalid_argument, "{}:{}: invalid regular expression {}", expr.line, expr.column,
                quote(pattern));
  auto block = evaluator.eval(*call.args[0], grid);
  if (!block) return block;
  block->one_name = false;
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(re.NumberOfCapturingGroups()) + 1);
  for (std::size_t i = 0; i < block->rows(); ++i) {
    const LabelsPtr labels = block->labels[i];
    const std::string_view value = labels->get(source);
    const re2::StringPiece text(value.data(), value.size());
    if (!re.Match(text, 0, value.size(), re2::RE2::ANCHOR_BOTH, groups.data(),
                  static_cast<int>(groups.size())))
      continue;
    set_label(*block, i, destination, expand(replacement, re, groups));
  }
  if (auto ok = merge_duplicates(*block); !ok) return ok.error();
  return block;
}

Result<Block> call_label_join(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& call = std::get<Call>(expr.node);
  const std::string& destination = string_argument(*call.args[1]);
  const std::string& separator = string_argument(*call.args[2]);
  if (!is_label_name(destination)) return bad_label(expr, destination);
  auto block = evaluator.eval(*call.args[0], grid);
  if (!block) return block;
  block->one_name = false;
  for (std::size_t row = 0; row < block->rows(); ++row) {
    std::string joined;
    for (std::size_t i = 3; i < call.args.size() && joined.size() <= kMaxLabelBytes; ++i) {
      if (i > 3) joined += separator;
      joined += block->labels[row]->get(string_argument(*call.args[i]));
    }
    if (joined.size() > kMaxLabelBytes) joined.resize(kMaxLabelBytes);
    set_label(*block, row, destination, joined);
  }
  if (auto ok = merge_duplicates(*block); !ok) return ok.error();
  return block;
}

}  // namespace vigil::promql
