#include "aggregator/rules/go_format.h"

#include "aggregator/promql/literals.h"
#include "aggregator/rules/template_functions.h"
#include "aggregator/rules/template_object.h"
#include "aggregator/rules/template_tree.h"
#include "common/text/quotes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <memory>
#include <optional>

namespace vigil::rules {
namespace {

constexpr int kMaxWidth = 512;
constexpr int kExponentFrom = 6;
constexpr double kMaxDuration = 9.2e9;  // seconds: Go counts nanoseconds in 64 bits

template <class... T>
struct Overloaded : T... {
  using T::operator()...;
};
template <class... T>
Overloaded(T...) -> Overloaded<T...>;

/// A parsed `%-08.3f`.
struct Verb {
  std::string flags;
  int width = 0;
  int precision = -1;
  char letter = 0;
};

int take_int(std::string_view& text) {
  int value = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    value = std::min(value * 10 + (text.front() - '0'), kMaxWidth);
    text.remove_prefix(1);
  }
  return value;
}

/// What printf is given, in the order in which verbs ask for it: one after the other, or as `[n]` says.
class Arguments {
 public:
  explicit Arguments(std::span<const TemplateValue> all) : all_(all) {}

  /// Null: there are no more.
  const TemplateValue* take() { return next_ < all_.size() ? &all_[next_++] : nullptr; }
  /// Takes "[2]" off the front. Returns whether what stands there, if anything, is the number of an argument.
  bool take_index(std::string_view& text) {
    if (!text.starts_with('[')) return true;
    is_reordered_ = true;
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      text.remove_prefix(1);
      return false;
    }
    std::string_view digits = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    const int index = take_int(digits);
    if (!digits.empty() || index < 1 || static_cast<std::size_t>(index) > all_.size()) return false;
    next_ = static_cast<std::size_t>(index) - 1;
    return true;
  }
  /// Those nobody asked for; none when some were asked for by their numbers, as in Go.
  std::span<const TemplateValue> left() const {
    return is_reordered_ ? std::span<const TemplateValue>() : all_.subspan(next_);
  }

 private:
  std::span<const TemplateValue> all_;
  std::size_t next_ = 0;
  bool is_reordered_ = false;
};

/// `*`: a width or a precision that is an argument. Nothing when that is no whole number, or too large.
std::optional<int> take_star(Arguments& args) {
  const TemplateValue* value = args.take();
  const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(value);
  if (number == nullptr || *number > kMaxWidth || *number < -kMaxWidth) return std::nullopt;
  return static_cast<int>(*number);
}

struct TakenVerb {
  Verb verb;
  bool has_index = true;  // false: an index of an argument that is none
  std::string errors;     // of widths and precisions, as Go writes them
};

TakenVerb take_verb(std::string_view& text, Arguments& args) {
  TakenVerb out;
  Verb& verb = out.verb;
  while (!text.empty() && std::string_view("+-# 0").find(text.front()) != std::string_view::npos) {
    if (verb.flags.find(text.front()) == std::string::npos) verb.flags += text.front();
    text.remove_prefix(1);
  }
  out.has_index = args.take_index(text);
  if (text.starts_with('*')) {
    text.remove_prefix(1);
    const auto width = take_star(args);
    if (!width) out.errors += "%!(BADWIDTH)";
    if (width && *width < 0 && verb.flags.find('-') == std::string::npos) verb.flags += '-';
    verb.width = std::abs(width.value_or(0));
  } else {
    verb.width = take_int(text);
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    out.has_index = args.take_index(text) && out.has_index;
    if (text.starts_with('*')) {
      text.remove_prefix(1);
      const auto precision = take_star(args);
      if (!precision) out.errors += "%!(BADPREC)";
      verb.precision = std::max(precision.value_or(-1), -1);
    } else {
      verb.precision = take_int(text);
    }
  }
  out.has_index = args.take_index(text) && out.has_index;
  if (!text.empty()) {
    verb.letter = text.front();
    text.remove_prefix(1);
  }
  return out;
}

std::string pad(std::string text, const Verb& verb) {
  const auto width = static_cast<std::size_t>(verb.width);
  if (text.size() >= width) return text;
  const std::string fill(width - text.size(), ' ');
  return verb.flags.find('-') != std::string::npos ? text + fill : fill + text;
}

std::string mismatch(char letter, const TemplateValue& value) {
  return fmt::format("%!{}({}={})", letter, type_name(value), go_print(value));
}

/// Lets snprintf(3) do what C and Go have in common.
template <class Number>
std::string c_format(const Verb& verb, std::string_view conversion, Number number) {
  std::string format = "%" + verb.flags;
  if (verb.width > 0) format += std::to_string(verb.width);
  if (verb.precision >= 0) format += '.' + std::to_string(verb.precision);
  format += conversion;
  char buffer[2 * kMaxWidth + 400];  // 1e308 with %f has 309 digits
  const int length = std::snprintf(buffer, sizeof buffer, format.c_str(), number);
  return {buffer, static_cast<std::size_t>(std::clamp<int>(length, 0, sizeof buffer - 1))};
}

std::string format_float(const Verb& verb, double value) {
  if (!std::isfinite(value)) return pad(go_float(value), verb);
  if ((verb.letter == 'g' || verb.letter == 'G') && verb.precision < 0) return pad(go_float(value), verb);
  return c_format(verb, std::string(1, verb.letter), value);
}

/// %c and %U: a number as the character it stands for.
std::string format_character(const Verb& verb, std::int64_t number) {
  constexpr std::int64_t kLast = 0x10FFFF;
  const bool is_one = number >= 0 && number <= kLast && (number < 0xD800 || number > 0xDFFF);
  constexpr std::uint32_t kReplacement = 0xFFFD;
  std::string character;
  promql::append_code_point(character, is_one ? static_cast<std::uint32_t>(number) : kReplacement);
  if (verb.letter == 'c') return pad(character, verb);
  std::string text = fmt::format("U+{:04X}", static_cast<std::uint64_t>(number));
  if (verb.flags.find('#') != std::string::npos && is_one) text += fmt::format(" '{}'", character);
  return pad(std::move(text), verb);
}

std::string format_value(const Verb& verb, const TemplateValue& value) {
  switch (verb.letter) {
    case 'T':
      return pad(std::string(type_name(value)), verb);
    case 'c':
    case 'U':
      if (const auto* number = std::get_if<std::int64_t>(&value)) return format_character(verb, *number);
      return mismatch(verb.letter, value);
    case 'v':
      return pad(go_print(value), verb);
    case 's':
    case 'q':
      if (const auto* text = std::get_if<std::string>(&value)) {
        const std::string cut =
            verb.precision >= 0 ? text->substr(0, static_cast<std::size_t>(verb.precision)) : *text;
        return pad(verb.letter == 'q' ? in_quotes(cut) : cut, verb);
      }
      // Of a map of texts, %s is each of them.
      if (verb.letter == 's' && std::holds_alternative<TemplateLabels>(value))
        return pad(go_print(value), verb);
      return mismatch(verb.letter, value);
    case 'd':
    case 'x':
    case 'X':
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        return c_format(verb, std::string("l") + verb.letter, static_cast<long>(*number));
      }
      return mismatch(verb.letter, value);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      if (const auto* number = std::get_if<double>(&value)) return format_float(verb, *number);
      return mismatch(verb.letter, value);
    case 't':
      return std::holds_alternative<bool>(value) ? pad(go_print(value), verb) : mismatch('t', value);
    default:
      return mismatch(verb.letter, value);
  }
}

}  // namespace

std::string_view type_name(const TemplateValue& value) {
  constexpr std::string_view kNames[] = {"<nil>",     "bool",          "int",
                                         "float64",   "string",        "map[string]string",
                                         "sample",    "vector",        "map[string]interface {}",
                                         "time.Time", "time.Duration", "data",
                                         "object"};
  static_assert(std::size(kNames) == std::variant_size_v<TemplateValue>);
  if (const auto* object = std::get_if<TemplateObjectPtr>(&value)) return (*object)->type();
  return kNames[value.index()];
}

bool is_true(const TemplateValue& value) {
  return std::visit(
      Overloaded{[](std::monostate) { return false; }, [](bool b) { return b; },
                 [](std::int64_t i) { return i != 0; }, [](double d) { return d != 0; },
                 [](const std::string& s) { return !s.empty(); },
                 [](const TemplateLabels& labels) { return !labels->empty(); },
                 [](const std::shared_ptr<const TemplateList>& list) { return !list->items.empty(); },
                 [](const std::shared_ptr<const TemplateMap>& map) { return !map->entries.empty(); },
                 [](TemplateDuration d) { return d.seconds != 0; },
                 [](const TemplateObjectPtr& object) { return is_true(object->plain()); },
                 [](const auto&) { return true; }},
      value);
}

std::string go_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char buffer[400];
  const auto scientific = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<std::size_t>(scientific.ptr - buffer));
  int exponent = 0;
  const std::size_t e = text.find('e');
  const char* digits = text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0);
  std::from_chars(digits, text.data() + text.size(), exponent);
  if (exponent < -4 || exponent >= kExponentFrom) return std::string(text);
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  return {buffer, fixed.ptr};
}

namespace {

std::string print_labels(const Labels& labels) {
  std::string out;
  for (const LabelView& label : labels)
    out += fmt::format("{}{}:{}", out.empty() ? "" : " ", label.name, label.value);
  return "map[" + out + "]";
}

std::string print_map(const TemplateMap& map) {
  std::string out;
  for (const auto& [key, value] : map.entries)
    out += fmt::format("{}{}:{}", out.empty() ? "" : " ", key, go_print(value));
  return "map[" + out + "]";
}

std::string print_list(const TemplateList& list) {
  std::string out;
  for (const TemplateValue& item : list.items) out += (out.empty() ? "" : " ") + go_print(item);
  return "[" + out + "]";
}

/// "1h2m3.5s", as time.Duration has it.
std::string print_duration(double seconds) {
  if (seconds == 0) return "0s";
  if (!(std::abs(seconds) <= kMaxDuration)) return go_float(seconds) + "s";
  const std::string sign = seconds < 0 ? "-" : "";
  const double size = std::abs(seconds);
  if (size < 1e-6) return sign + go_float(size * 1e9) + "ns";
  if (size < 1e-3) return sign + go_float(size * 1e6) + "\u00b5s";
  if (size < 1) return sign + go_float(size * 1e3) + "ms";
  const auto whole = static_cast<std::int64_t>(size);
  const std::int64_t minutes_s = whole / 60 * 60;
  const double rest = std::round((size - static_cast<double>(minutes_s)) * 1e9) / 1e9;
  std::string out = sign;
  if (whole >= 3600) out += fmt::format("{}h", whole / 3600);
  if (whole >= 60) out += fmt::format("{}m", whole / 60 % 60);
  return out + go_float(rest) + "s";
}

/// The struct that Prometheus gives its templates.
std::string print_root(const TemplateData& data) {
  return fmt::format("{{{} {} {} {}}}", print_labels(data.labels), print_labels(data.external_labels),
                     data.external_url, go_float(data.value));
}

}  // namespace

std::string go_print(const TemplateValue& value) {
  return std::visit(
      Overloaded{[](std::monostate) { return std::string("<nil>"); },
                 [](bool b) { return std::string(b ? "true" : "false"); },
                 [](std::int64_t i) { return std::to_string(i); }, [](double d) { return go_float(d); },
                 [](const std::string& s) { return s; },
                 [](const TemplateLabels& labels) { return print_labels(*labels); },
                 [](const std::shared_ptr<const TemplateSample>& sample) {
                   return fmt::format("&{{{} {}}}", print_labels(sample->labels), go_float(sample->value));
                 },
                 [](const std::shared_ptr<const TemplateList>& list) { return print_list(*list); },
                 [](const std::shared_ptr<const TemplateMap>& map) { return print_map(*map); },
                 [](TemplateTime t) { return humanize_timestamp(t.unix_seconds); },
                 [](TemplateDuration d) { return print_duration(d.seconds); },
                 [](const TemplateRoot* root) { return print_root(*root->data); },
                 [](const TemplateObjectPtr& object) { return go_print(object->plain()); }},
      value);
}

std::string go_sprintf(std::string_view format, std::span<const TemplateValue> args) {
  std::string out;
  Arguments arguments(args);
  while (!format.empty()) {
    const std::size_t percent = std::min(format.find('%'), format.size());
    out += format.substr(0, percent);
    format.remove_prefix(percent);
    if (format.empty()) break;
    format.remove_prefix(1);
    const TakenVerb taken = take_verb(format, arguments);
    const Verb& verb = taken.verb;
    out += taken.errors;
    if (verb.letter == 0) {
      out += "%!(NOVERB)";
    } else if (verb.letter == '%') {
      out += '%';
    } else if (!taken.has_index) {
      out += fmt::format("%!{}(BADINDEX)", verb.letter);
    } else if (const TemplateValue* value = arguments.take()) {
      out += format_value(verb, *value);
    } else {
      out += fmt::format("%!{}(MISSING)", verb.letter);
    }
  }
  std::string extra;
  for (const TemplateValue& value : arguments.left())
    extra += fmt::format("{}{}={}", extra.empty() ? "" : ", ", type_name(value), go_print(value));
  return extra.empty() ? out : out + "%!(EXTRA " + extra + ")";
}

}  // namespace vigil::rules
