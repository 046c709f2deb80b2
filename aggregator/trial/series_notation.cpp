#include "aggregator/trial/series_notation.h"

#include "aggregator/promql/literals.h"
#include "common/text/letter_case.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace vigil::trial {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

/// A text read from the front.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text), rest_(text) {}

  void skip_space() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool at_end() const { return rest_.empty(); }
  char front() const { return rest_.empty() ? '\0' : rest_.front(); }
  std::string_view rest() const { return rest_; }
  Error wrong(std::string_view expected) const {
    const std::size_t column = text_.size() - rest_.size() + 1;
    return fail(Errc::parse, "at character {}: expected {}, found {}", column, expected,
                rest_.empty() ? "the end" : "'" + std::string(rest_.substr(0, 10)) + "'");
  }

  std::string_view take_name() {
    std::size_t length = 0;
    const auto is_name = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':';
    };
    while (length < rest_.size() && is_name(rest_[length])) ++length;
    if (length > 0 && is_digit(rest_.front())) length = 0;
    return advance(length);
  }

  /// The bytes that a quoted text stands for.
  std::optional<std::string> take_quoted() {
    const char quote = front();
    if (quote != '"' && quote != '\'' && quote != '`') return std::nullopt;
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != quote) end += rest_[end] == '\\' && quote != '`' ? 2 : 1;
    if (end >= rest_.size()) return std::nullopt;
    auto text = promql::unquote(rest_.substr(0, end + 1));
    if (text) advance(end + 1);
    return text;
  }

  std::string_view advance(std::size_t length) {
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  /// A number without a sign.
  std::optional<double> take_number() {
    const auto is_word = [this](std::string_view word) {
      return is_same_in_any_case(rest_.substr(0, word.size()), word);
    };
    if (is_word("nan")) return advance(3), std::numeric_limits<double>::quiet_NaN();
    if (is_word("inf")) return advance(3), std::numeric_limits<double>::infinity();
    std::size_t length = 0;
    while (length < rest_.size() && (is_digit(rest_[length]) || rest_[length] == '.')) ++length;
    if (length == 0) return std::nullopt;
    if (length < rest_.size() && (rest_[length] == 'e' || rest_[length] == 'E')) {
      std::size_t exponent = length + 1;
      if (exponent < rest_.size() && (rest_[exponent] == '+' || rest_[exponent] == '-')) ++exponent;
      if (exponent < rest_.size() && is_digit(rest_[exponent])) {
        while (exponent < rest_.size() && is_digit(rest_[exponent])) ++exponent;
        length = exponent;
      }
    }
    double value = 0;
    const char* const end = rest_.data() + length;
    const auto [stop, error] = std::from_chars(rest_.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    advance(length);
    return value;
  }

 private:
  const std::string_view text_;
  std::string_view rest_;
};

/// `name="value"` or a quoted metric name.
Result<void> take_label(Reader& reader, std::vector<Label>& labels) {
  std::string name;
  if (auto quoted = reader.take_quoted()) {
    name = std::move(*quoted);
    reader.skip_space();
    if (reader.front() == ',' || reader.front() == '}') {
      labels.push_back({std::string(kMetricName), std::move(name)});
      return {};
    }
  } else {
    name = reader.take_name();
  }
  if (name.empty()) return reader.wrong("a label's name");
  reader.skip_space();
  if (!reader.take('=')) return reader.wrong("'='");
  reader.skip_space();
  auto value = reader.take_quoted();
  if (!value) return reader.wrong("a value in quotes");
  labels.push_back({std::move(name), std::move(*value)});
  return {};
}

/// How often `xN` says; nothing when it does not stand there.
Result<std::optional<std::size_t>> take_times(Reader& reader) {
  if (!reader.take('x')) return std::optional<std::size_t>();
  const auto count = reader.take_number();
  if (!count || *count < 0 || *count != std::floor(*count)) return reader.wrong("how many times");
  if (*count > static_cast<double>(kMaxValues))
    return fail(Errc::limit, "more than {} values of one series", kMaxValues);
  return std::optional(static_cast<std::size_t>(*count));
}

using Values = std::vector<std::optional<double>>;

/// `a`, `axn`, `a+bxn`
Result<void> take_numbers(Reader& reader, Values& out) {
  const bool negative = reader.take('-');
  if (!negative) reader.take('+');
  auto first = reader.take_number();
  if (!first) return reader.wrong("a number, _ or stale");
  if (negative) first = -*first;
  double step = 0;
  const bool has_step = reader.front() == '+' || reader.front() == '-';
  if (has_step) {
    const bool down = reader.take('-');
    if (!down) reader.take('+');
    const auto size = reader.take_number();
    if (!size) return reader.wrong("a number");
    step = down ? -*size : *size;
  }
  const auto times = take_times(reader);
  if (!times) return times.error();
  if (has_step && !*times) return reader.wrong("x and how many times");
  double value = *first;
  out.push_back(value);
  for (std::size_t i = 0; i < times->value_or(0); ++i) out.push_back(value += step);
  return {};
}

Result<void> take_value(Reader& reader, Values& out) {
  if (reader.take("{{")) return fail(Errc::unsupported, "native histograms are not supported");
  if (reader.take("stale")) {
    out.push_back(stale_marker());
    return {};
  }
  if (!reader.take('_')) return take_numbers(reader, out);
  const auto times = take_times(reader);
  if (!times) return times.error();
  out.insert(out.end(), times->value_or(1), std::nullopt);
  return {};
}

}  // namespace

Result<Labels> parse_metric(std::string_view text) {
  Reader reader(text);
  reader.skip_space();
  std::vector<Label> labels;
  if (const std::string_view name = reader.take_name(); !name.empty())
    labels.push_back({std::string(kMetricName), std::string(name)});
  reader.skip_space();
  if (reader.take('{')) {
    reader.skip_space();
    while (!reader.take('}')) {
      if (auto taken = take_label(reader, labels); !taken) return taken.error();
      reader.skip_space();
      if (!reader.take(',') && reader.front() != '}') return reader.wrong("',' or '}'");
      reader.skip_space();
    }
    reader.skip_space();
  } else if (labels.empty()) {
    return reader.wrong("a metric's name or '{'");
  }
  if (!reader.at_end()) return reader.wrong("the end");
  return Labels(std::move(labels));
}

Result<Values> parse_values(std::string_view text) {
  Reader reader(text);
  Values out;
  reader.skip_space();
  while (!reader.at_end()) {
    if (auto taken = take_value(reader, out); !taken) return taken.error();
    if (!reader.at_end() && !is_space(reader.front())) return reader.wrong("a space");
    if (out.size() > kMaxValues) return fail(Errc::limit, "more than {} values of one series", kMaxValues);
    reader.skip_space();
  }
  return out;
}

}  // namespace vigil::trial
