#include "aggregator/rules/go_format.h"
#include "aggregator/rules/template_functions.h"
#include "common/text/ascii.h"
#include "common/text/html.h"
#include "common/text/letter_case.h"
#include "common/text/url_coding.h"
#include "common/text/utf8.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <memory>
#include <optional>
#include <system_error>

namespace vigil::rules {
namespace {

using Args = TemplateArgs;

template <std::string (*kChange)(std::string)>
Result<TemplateValue> change_text(Args args, const TemplateData& /*data*/) {
  auto value = template_text(args[0]);
  if (!value) return value.error();
  return TemplateValue(kChange(std::move(*value)));
}

// ASCII only: the names of hosts, devices and units are.
std::string upper(std::string value) {
  for (char& c : value) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return value;
}
// NOLINTNEXTLINE(performance-unnecessary-value-param): of one type with upper() and title()
std::string lower(std::string value) {
  return lower_case(value);
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
  const auto format = template_text(args[0]);
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

Result<TemplateValue> print_line(Args args, const TemplateData& /*data*/) {
  std::string out;
  for (const TemplateValue& arg : args) out += (out.empty() ? "" : " ") + go_print(arg);
  return TemplateValue(out + '\n');
}

Result<std::unique_ptr<RE2>> regex(const TemplateValue& value) {
  const auto pattern = template_text(value);
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
  const auto subject = template_text(args[1]);
  if (!subject) return subject.error();
  return TemplateValue(RE2::PartialMatch(*subject, **pattern));
}

constexpr int kMaxGroups = 100;

/// The letters, digits and underscores in front.
std::string_view word_of(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && (is_digit(text[length]) || is_letter(text[length]) || text[length] == '_'))
    ++length;
  return text.substr(0, length);
}

/// Its number, by digits or by name; nothing when the pattern lacks it.
std::optional<std::size_t> group_number(const RE2& pattern, std::string_view name, std::size_t count) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc{} && end == name.data() + name.size())
    return number < count ? std::optional(number) : std::nullopt;
  const auto& names = pattern.NamedCapturingGroups();
  const auto found = names.find(std::string(name));
  if (found == names.end() || static_cast<std::size_t>(found->second) >= count) return std::nullopt;
  return static_cast<std::size_t>(found->second);
}

/// `replacement` as Go's Regexp.Expand has it: $1, ${1}, $name, ${name}, and $$ for a dollar. A name is as
/// long as it can be, and a group the pattern lacks is nothing.
void append_replacement(std::string& out, std::string_view replacement, const RE2& pattern,
                        std::span<const re2::StringPiece> groups) {
  while (!replacement.empty() && out.size() <= kMaxTextBytes) {
    const std::size_t dollar = std::min(replacement.find('$'), replacement.size());
    out += replacement.substr(0, dollar);
    replacement.remove_prefix(dollar);
    if (replacement.empty()) return;
    if (replacement.starts_with("$$")) {
      out += '$';
      replacement.remove_prefix(2);
      continue;
    }
    const bool braces = replacement.starts_with("${");
    const std::string_view name = word_of(replacement.substr(braces ? 2 : 1));
    const std::size_t length = name.size() + (braces ? 3 : 1);
    if (name.empty() || (braces && !replacement.substr(0, length).ends_with('}'))) {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    if (const auto number = group_number(pattern, name, groups.size()))
      out.append(groups[*number].data(), groups[*number].size());
    replacement.remove_prefix(length);
  }
}

std::size_t next_character(std::string_view text, std::size_t at) {
  return at + std::max<std::size_t>(character_length(text.substr(std::min(at, text.size()))), 1);
}

/// As RE2::GlobalReplace, but within the bounds of a template: a replacement may multiply the text.
Result<TemplateValue> replace_all(Args args, const TemplateData& /*data*/) {
  const auto pattern = regex(args[0]);
  if (!pattern) return pattern.error();
  const auto replacement = template_text(args[1]);
  if (!replacement) return replacement.error();
  const auto subject = template_text(args[2]);
  if (!subject) return subject.error();
  std::array<re2::StringPiece, kMaxGroups> groups;
  const int count = std::min((*pattern)->NumberOfCapturingGroups() + 1, kMaxGroups);
  std::string out;
  std::size_t at = 0;    // what lies before it is in `out`
  std::size_t from = 0;  // where to look next
  while (from <= subject->size() &&
         (*pattern)->Match(*subject, from, subject->size(), RE2::UNANCHORED, groups.data(), count)) {
    const auto start = static_cast<std::size_t>(groups[0].data() - subject->data());
    const std::size_t end = start + groups[0].size();
    out.append(*subject, at, start - at);
    // Nothing right behind a match is no match of its own.
    if (end > start || start != at || start == 0)
      append_replacement(out, *replacement, **pattern,
                         std::span(groups).first(static_cast<std::size_t>(count)));
    if (out.size() > kMaxTextBytes) return fail(Errc::limit, "a text longer than {} bytes", kMaxTextBytes);
    at = end;
    from = end > start ? end : next_character(*subject, end);
  }
  if (at < subject->size()) out.append(*subject, at);
  return TemplateValue(std::move(out));
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

// NOLINTBEGIN(performance-unnecessary-value-param): the form change_text() wants
std::string table_link(std::string expr) {
  return fmt::format("/graph?g0.expr={}&g0.tab=1", form_coded(expr));
}
std::string graph_link(std::string expr) {
  return fmt::format("/graph?g0.expr={}&g0.tab=0", form_coded(expr));
}
std::string query_escape(std::string value) {
  return form_coded(value);
}
std::string html(std::string value) {
  return html_escape(value);
}
std::string javascript(std::string value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '\'' || c == '"') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&' || c == '=') {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}
// NOLINTEND(performance-unnecessary-value-param)

/// What is there already: the text goes into no page.
std::string as_it_is(std::string value) {
  return value;
}

/// Of html, js and urlquery: what fmt.Sprint makes of the arguments.
template <std::string (*kEscape)(std::string)>
Result<TemplateValue> escape(Args args, const TemplateData& data) {
  auto text = print(args, data);
  if (!text) return text;
  return TemplateValue(kEscape(std::get<std::string>(*text)));
}

constexpr std::size_t kMany = 64;
constexpr TemplateFunction kFunctions[] = {
    {"printf", 1, kMany, print_format},
    {"print", 0, kMany, print},
    {"println", 0, kMany, print_line},
    {"title", 1, 1, change_text<title>},
    {"toUpper", 1, 1, change_text<upper>},
    {"toLower", 1, 1, change_text<lower>},
    {"stripPort", 1, 1, change_text<strip_port>},
    {"stripDomain", 1, 1, change_text<strip_domain>},
    {"match", 2, 2, match},
    {"reReplaceAll", 3, 3, replace_all},
    {"externalURL", 0, 0, external_url},
    {"pathPrefix", 0, 0, path_prefix},
    {"tableLink", 1, 1, change_text<table_link>},
    {"graphLink", 1, 1, change_text<graph_link>},
    {"safeHtml", 1, 1, change_text<as_it_is>},
    {"urlQueryEscape", 1, 1, change_text<query_escape>},
    {"html", 1, kMany, escape<html>},
    {"js", 1, kMany, escape<javascript>},
    {"urlquery", 1, kMany, escape<query_escape>},
};

}  // namespace

std::span<const TemplateFunction> text_functions() {
  return kFunctions;
}

}  // namespace vigil::rules
