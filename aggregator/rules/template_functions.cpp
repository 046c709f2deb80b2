#include "aggregator/rules/template_functions.h"

#include "aggregator/rules/go_format.h"
#include "common/text/human.h"

#include <re2/re2.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <compare>

namespace vigil::rules {
namespace {

using Args = std::span<const TemplateValue>;

/// A number, or text that is one.
Result<double> number(const TemplateValue& value) {
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* text = std::get_if<std::string>(&value)) {
    double parsed = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), parsed);
    if (error == std::errc{} && end == text->data() + text->size()) return parsed;
    return fail(Errc::invalid_argument, "\"{}\" is not a number", *text);
  }
  return fail(Errc::invalid_argument, "cannot use {} as a number", type_name(value));
}

Result<std::string> text(const TemplateValue& value) {
  if (const auto* string = std::get_if<std::string>(&value)) return *string;
  return fail(Errc::invalid_argument, "expected string; got {}", type_name(value));
}

template <std::string (*kFormat)(double)>
Result<TemplateValue> number_to_text(Args args, const TemplateData& /*data*/) {
  const auto value = number(args[0]);
  if (!value) return value.error();
  return TemplateValue(kFormat(*value));
}

template <std::string (*kChange)(std::string)>
Result<TemplateValue> change_text(Args args, const TemplateData& /*data*/) {
  auto value = text(args[0]);
  if (!value) return value.error();
  return TemplateValue(kChange(std::move(*value)));
}

// ASCII only: the names of hosts, devices and units are.
std::string upper(std::string value) {
  for (char& c : value) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return value;
}
std::string lower(std::string value) {
  for (char& c : value) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return value;
}
std::string title(std::string value) {
  bool start = true;
  for (char& c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (start) c = static_cast<char>(std::toupper(byte));
    start = std::isalnum(byte) == 0 && byte < 0x80 && c != '_' && c != '\'';
  }
  return value;
}
// NOLINTNEXTLINE(performance-unnecessary-value-param): the form change_text() wants
std::string strip_port(std::string value) {
  if (value.starts_with('[')) {
    const std::size_t end = value.find(']');
    return end == std::string::npos ? value : value.substr(1, end - 1);
  }
  const std::size_t colon = value.find(':');
  return colon == std::string::npos || value.find(':', colon + 1) != std::string::npos
             ? value
             : value.substr(0, colon);
}
std::string strip_domain(std::string value) {
  const std::string host = strip_port(value);
  const std::string port =
      host.size() < value.size() && !value.starts_with('[') ? value.substr(host.size()) : "";
  if (host.find_first_not_of("0123456789.") == std::string::npos || host.find(':') != std::string::npos)
    return value;
  return host.substr(0, host.find('.')) + port;
}

Result<TemplateValue> print_format(Args args, const TemplateData& /*data*/) {
  const auto format = text(args[0]);
  if (!format) return format.error();
  return TemplateValue(go_sprintf(*format, args.subspan(1)));
}

/// Spaces between two values when neither is text, as fmt.Sprint does.
Result<TemplateValue> print(Args args, const TemplateData& /*data*/) {
  std::string out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool words = i > 0 && !std::holds_alternative<std::string>(args[i]) &&
                       !std::holds_alternative<std::string>(args[i - 1]);
    if (words) out += ' ';
    out += go_print(args[i]);
  }
  return TemplateValue(std::move(out));
}

std::strong_ordering order(std::string_view a, std::string_view b) {
  return a.compare(b) <=> 0;
}

/// Go refuses to compare a float with an integer literal; here `gt $value 95` means what it says.
Result<std::partial_ordering> compare(const TemplateValue& a, const TemplateValue& b) {
  const auto* left = std::get_if<std::string>(&a);
  const auto* right = std::get_if<std::string>(&b);
  if (left != nullptr && right != nullptr) return std::partial_ordering(order(*left, *right));
  if (std::holds_alternative<bool>(a) && std::holds_alternative<bool>(b)) {
    return std::partial_ordering(std::get<bool>(a) <=> std::get<bool>(b));
  }
  if (left != nullptr || right != nullptr || a.index() < 2 || b.index() < 2 || a.index() > 3 ||
      b.index() > 3) {
    return fail(Errc::invalid_argument, "cannot compare {} with {}", type_name(a), type_name(b));
  }
  const auto x = number(a);
  const auto y = number(b);
  return *x <=> *y;
}

using Accept = bool (*)(std::partial_ordering);

template <Accept kAccept>
Result<TemplateValue> comparison(Args args, const TemplateData& /*data*/) {
  const auto ordering = compare(args[0], args[1]);
  if (!ordering) return ordering.error();
  return TemplateValue(kAccept(*ordering));
}

/// True when the first equals any of the others.
Result<TemplateValue> equal(Args args, const TemplateData& /*data*/) {
  for (const TemplateValue& other : args.subspan(1)) {
    const auto ordering = compare(args[0], other);
    if (!ordering) return ordering.error();
    if (std::is_eq(*ordering)) return TemplateValue(true);
  }
  return TemplateValue(false);
}

Result<TemplateValue> all(Args args, const TemplateData& /*data*/) {
  for (const TemplateValue& value : args) {
    if (!is_true(value)) return value;
  }
  return args.back();
}
Result<TemplateValue> any(Args args, const TemplateData& /*data*/) {
  for (const TemplateValue& value : args) {
    if (is_true(value)) return value;
  }
  return args.back();
}
Result<TemplateValue> negate(Args args, const TemplateData& /*data*/) {
  return TemplateValue(!is_true(args[0]));
}

Result<TemplateValue> index(Args args, const TemplateData& /*data*/) {
  const auto* labels = std::get_if<const Labels*>(&args[0]);
  if (labels == nullptr) return fail(Errc::invalid_argument, "cannot index {}", type_name(args[0]));
  const auto name = text(args[1]);
  if (!name) return name.error();
  return TemplateValue(std::string((*labels)->get(*name)));
}

Result<TemplateValue> length(Args args, const TemplateData& /*data*/) {
  if (const auto* string = std::get_if<std::string>(&args[0])) return TemplateValue(std::ssize(*string));
  if (const auto* labels = std::get_if<const Labels*>(&args[0])) {
    return TemplateValue(static_cast<std::int64_t>((*labels)->size()));
  }
  return fail(Errc::invalid_argument, "{} has no length", type_name(args[0]));
}

Result<std::unique_ptr<RE2>> regex(const TemplateValue& value) {
  const auto pattern = text(value);
  if (!pattern) return pattern.error();
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  auto compiled = std::make_unique<RE2>(*pattern, options);
  if (!compiled->ok())
    return fail(Errc::invalid_argument, "regular expression \"{}\": {}", *pattern, compiled->error());
  return compiled;
}

Result<TemplateValue> match(Args args, const TemplateData& /*data*/) {
  const auto pattern = regex(args[0]);
  if (!pattern) return pattern.error();
  const auto subject = text(args[1]);
  if (!subject) return subject.error();
  return TemplateValue(RE2::PartialMatch(*subject, **pattern));
}

/// Go's "$1" and "${1}" as RE2's "\1".
std::string re2_rewrite(std::string_view go) {
  std::string out;
  for (std::size_t i = 0; i < go.size(); ++i) {
    if (go[i] == '\\') out += "\\";
    if (go[i] != '$' || i + 1 >= go.size()) {
      out += go[i];
      continue;
    }
    const bool braces = go[i + 1] == '{';
    const std::size_t digit = i + 1 + (braces ? 1 : 0);
    const bool group = digit < go.size() && std::isdigit(static_cast<unsigned char>(go[digit])) != 0 &&
                       (!braces || (digit + 1 < go.size() && go[digit + 1] == '}'));
    if (!group) {
      out += '$';
      continue;
    }
    out += '\\';
    out += go[digit];
    i = digit + (braces ? 1 : 0);
  }
  return out;
}

Result<TemplateValue> replace_all(Args args, const TemplateData& /*data*/) {
  const auto pattern = regex(args[0]);
  if (!pattern) return pattern.error();
  const auto replacement = text(args[1]);
  if (!replacement) return replacement.error();
  auto subject = text(args[2]);
  if (!subject) return subject.error();
  const std::string rewrite = re2_rewrite(*replacement);
  std::string why;
  if (!(*pattern)->CheckRewriteString(rewrite, &why))
    return fail(Errc::invalid_argument, "replacement: {}", why);
  RE2::GlobalReplace(&*subject, **pattern, rewrite);
  return TemplateValue(std::move(*subject));
}

Result<TemplateValue> external_url(Args /*args*/, const TemplateData& data) {
  return TemplateValue(std::string(data.external_url));
}

Result<TemplateValue> path_prefix(Args /*args*/, const TemplateData& data) {
  const std::size_t scheme = data.external_url.find("://");
  const std::size_t path = data.external_url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  return TemplateValue(path == std::string_view::npos ? std::string()
                                                      : std::string(data.external_url.substr(path)));
}

Result<TemplateValue> duration_seconds(Args args, const TemplateData& /*data*/) {
  const auto value = text(args[0]);
  if (!value) return value.error();
  const auto parsed = parse_duration(*value);
  if (!parsed) return parsed.error();
  return TemplateValue(static_cast<double>(parsed->count()) / 1000);
}

constexpr std::size_t kMany = 64;
constexpr TemplateFunction kFunctions[] = {
    {"humanize", 1, 1, number_to_text<humanize>},
    {"humanize1024", 1, 1, number_to_text<humanize_1024>},
    {"humanizeDuration", 1, 1, number_to_text<humanize_duration>},
    {"humanizePercentage", 1, 1, number_to_text<humanize_percentage>},
    {"humanizeTimestamp", 1, 1, number_to_text<humanize_timestamp>},
    {"printf", 1, kMany, print_format},
    {"print", 0, kMany, print},
    {"title", 1, 1, change_text<title>},
    {"toUpper", 1, 1, change_text<upper>},
    {"toLower", 1, 1, change_text<lower>},
    {"stripPort", 1, 1, change_text<strip_port>},
    {"stripDomain", 1, 1, change_text<strip_domain>},
    {"match", 2, 2, match},
    {"reReplaceAll", 3, 3, replace_all},
    {"parseDuration", 1, 1, duration_seconds},
    {"externalURL", 0, 0, external_url},
    {"pathPrefix", 0, 0, path_prefix},
    {"eq", 2, kMany, equal},
    {"ne", 2, 2, comparison<[](std::partial_ordering o) { return std::is_neq(o); }>},
    {"lt", 2, 2, comparison<[](std::partial_ordering o) { return std::is_lt(o); }>},
    {"le", 2, 2, comparison<[](std::partial_ordering o) { return std::is_lteq(o); }>},
    {"gt", 2, 2, comparison<[](std::partial_ordering o) { return std::is_gt(o); }>},
    {"ge", 2, 2, comparison<[](std::partial_ordering o) { return std::is_gteq(o); }>},
    {"and", 1, kMany, all},
    {"or", 1, kMany, any},
    {"not", 1, 1, negate},
    {"index", 2, 2, index},
    {"len", 1, 1, length},
};

constexpr std::string_view kUnsupported[] = {
    "range",     "with",           "define",
    "template",  "block",          "break",
    "continue",  "query",          "first",
    "value",     "label",          "strvalue",
    "args",      "tmpl",           "safeHtml",
    "graphLink", "tableLink",      "sortByLabel",
    "toTime",    "html",           "js",
    "urlquery",  "urlQueryEscape", "call",
    "slice",     "println",        "parseDurationTime",
};

}  // namespace

const TemplateFunction* find_template_function(std::string_view name) {
  for (const TemplateFunction& function : kFunctions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

bool is_unsupported_word(std::string_view name) {
  return std::find(std::begin(kUnsupported), std::end(kUnsupported), name) != std::end(kUnsupported);
}

std::string_view suggest_template_function(std::string_view name) {
  std::vector<std::string_view> names;
  for (const TemplateFunction& function : kFunctions) names.push_back(function.name);
  return suggest(name, names);
}

}  // namespace vigil::rules
