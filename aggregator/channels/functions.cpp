#include "aggregator/channels/functions.h"

#include "aggregator/channels/html_output.h"
#include "aggregator/channels/moment.h"
#include "aggregator/channels/plain_text.h"
#include "aggregator/channels/time_format.h"
#include "aggregator/notify/text.h"
#include "aggregator/rules/go_format.h"
#include "aggregator/rules/template_object.h"
#include "common/text/html.h"
#include "common/text/utf8.h"

#include <boost/json.hpp>
#include <cctype>
#include <charconv>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace vigil::channels {
namespace {

namespace json = boost::json;

using rules::plain_value;
using rules::template_text;
using rules::TemplateArgs;
using rules::TemplateData;
using rules::TemplateFunction;
using rules::TemplateList;
using rules::TemplateMap;
using rules::TemplateValue;

using ListPtr = std::shared_ptr<const TemplateList>;

template <std::string (*kChange)(std::string_view)>
Result<TemplateValue> change_text(TemplateArgs args, const TemplateData& /*data*/) {
  const auto text = template_text(args[0]);
  if (!text) return text.error();
  return TemplateValue(kChange(*text));
}

/// Other than Prometheus's, it makes the rest of each word small: "CRITICAL" is "Critical".
std::string title(std::string_view text) {
  std::string out(text);
  bool start = true;
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    c = static_cast<char>(start ? std::toupper(byte) : std::tolower(byte));
    start = std::isalnum(byte) == 0 && byte < 0x80 && c != '_' && c != '\'';
  }
  return out;
}

std::string trim_space(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

Result<TemplateValue> join(TemplateArgs args, const TemplateData& /*data*/) {
  const auto separator = template_text(args[0]);
  if (!separator) return separator.error();
  const auto* list = std::get_if<ListPtr>(&args[1]);
  if (list == nullptr) return fail(Errc::invalid_argument, "expected a list; got {}", type_name(args[1]));
  std::string out;
  for (const TemplateValue& item : (*list)->items) {
    const auto text = template_text(item);
    if (!text) return text.error();
    if (&item != &(*list)->items.front()) out += *separator;
    out += *text;
    if (out.size() > 16 * rules::kMaxTextBytes) return fail(Errc::limit, "the text is too long");
  }
  return TemplateValue(std::move(out));
}

Result<TemplateValue> string_slice(TemplateArgs args, const TemplateData& /*data*/) {
  auto list = std::make_shared<TemplateList>();
  for (const TemplateValue& arg : args) {
    auto text = template_text(arg);
    if (!text) return text.error();
    list->items.emplace_back(std::move(*text));
  }
  return TemplateValue(ListPtr(std::move(list)));
}

template <Trust kTrust>
Result<TemplateValue> trust(TemplateArgs args, const TemplateData& /*data*/) {
  auto text = template_text(args[0]);
  if (!text) return text.error();
  return trusted(std::move(*text), kTrust);
}

/// Escaped already: in HTML it is not escaped once more.
Result<TemplateValue> html(TemplateArgs args, const TemplateData& /*data*/) {
  std::string out;
  for (const TemplateValue& arg : args) out += html_escape(rules::go_print(arg));
  return trusted(std::move(out), Trust::html);
}

Result<TemplateValue> url_unescape(TemplateArgs args, const TemplateData& /*data*/) {
  const auto text = template_text(args[0]);
  if (!text) return text.error();
  std::string out;
  for (std::size_t i = 0; i < text->size(); ++i) {
    if ((*text)[i] != '%') {
      out += (*text)[i] == '+' ? ' ' : (*text)[i];
      continue;
    }
    const std::string_view digits = std::string_view(*text).substr(i + 1, 2);
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2)
      return fail(Errc::invalid_argument, "invalid URL escape \"%{}\"", digits);
    out += static_cast<char>(byte);
    i += 2;
  }
  return TemplateValue(std::move(out));
}

Result<TemplateValue> date(TemplateArgs args, const TemplateData& /*data*/) {
  const auto layout = template_text(args[0]);
  if (!layout) return layout.error();
  const Moment* moment = moment_of(args[1]);
  if (moment == nullptr) return fail(Errc::invalid_argument, "expected a time; got {}", type_name(args[1]));
  return TemplateValue(moment->format(*layout));
}

Result<TemplateValue> in_zone(TemplateArgs args, const TemplateData& /*data*/) {
  const auto name = template_text(args[0]);
  if (!name) return name.error();
  const Moment* moment = moment_of(args[1]);
  if (moment == nullptr) return fail(Errc::invalid_argument, "expected a time; got {}", type_name(args[1]));
  auto zone = zone_named(*name);
  if (!zone) return zone.error();
  return moment_value(moment->ms(), std::move(*zone));
}

Result<TemplateValue> since(TemplateArgs args, const TemplateData& data) {
  const Moment* moment = moment_of(args[0]);
  if (moment == nullptr) return fail(Errc::invalid_argument, "expected a time; got {}", type_name(args[0]));
  return TemplateValue(std::make_shared<const Stretch>(data.now_ms - moment->ms()));
}

Result<TemplateValue> humanize_duration(TemplateArgs args, const TemplateData& /*data*/) {
  if (const auto* duration = std::get_if<rules::TemplateDuration>(&args[0]))
    return TemplateValue(rules::humanize_duration(duration->seconds));
  const auto seconds = rules::template_number(args[0]);
  if (!seconds) return seconds.error();
  return TemplateValue(rules::humanize_duration(*seconds));
}

json::value to_json(const TemplateValue& value) {
  if (const Moment* moment = moment_of(value)) return json::string(moment->format(kRfc3339));
  const TemplateValue plain = plain_value(value);
  if (std::holds_alternative<std::monostate>(plain)) return nullptr;
  if (const auto* truth = std::get_if<bool>(&plain)) return *truth;
  if (const auto* whole = std::get_if<std::int64_t>(&plain)) return *whole;
  if (const auto* number = std::get_if<double>(&plain); number != nullptr && std::isfinite(*number))
    return *number;
  if (const auto* list = std::get_if<ListPtr>(&plain)) {
    json::array items;
    for (const TemplateValue& item : (*list)->items) items.push_back(to_json(item));
    return items;
  }
  if (const auto* map = std::get_if<std::shared_ptr<const TemplateMap>>(&plain)) {
    json::object members;
    for (const auto& [key, item] : (*map)->entries) members[key] = to_json(item);
    return members;
  }
  if (const auto* labels = std::get_if<rules::TemplateLabels>(&plain)) {
    json::object members;
    for (const LabelView& label : **labels)
      members[well_formed(label.name)] = json::string(well_formed(label.value));
    return members;
  }
  return json::string(well_formed(rules::go_print(plain)));
}

/// As Go writes it: a "</script>" in it ends no script.
Result<TemplateValue> json_text(TemplateArgs args, const TemplateData& /*data*/) {
  std::string out;
  for (const char c : json::serialize(to_json(args[0]))) {
    if (c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return TemplateValue(std::move(out));
}

constexpr std::size_t kMany = 64;
constexpr TemplateFunction kFunctions[] = {
    {"title", 1, 1, change_text<title>},
    {"trimSpace", 1, 1, change_text<trim_space>},
    {"slackEscape", 1, 1, change_text<notify::slack_escape>},
    {"slackLines", 1, 1, change_text<notify::slack_lines>},
    {"markdownEscape", 1, 1, change_text<markdown_escape>},
    {"join", 2, 2, join},
    {"stringSlice", 0, kMany, string_slice},
    {"safeHtml", 1, 1, trust<Trust::html>},
    {"safeUrl", 1, 1, trust<Trust::url>},
    {"html", 1, kMany, html},
    {"urlUnescape", 1, 1, url_unescape},
    {"date", 2, 2, date, TemplateFunction::Kind::of_objects},
    {"tz", 2, 2, in_zone, TemplateFunction::Kind::of_objects},
    {"since", 1, 1, since, TemplateFunction::Kind::of_objects},
    {"humanizeDuration", 1, 1, humanize_duration},
    {"toJson", 1, 1, json_text, TemplateFunction::Kind::of_objects},
};

/// Of those of rule files, the ones that are Go's own or mean the same to Alertmanager.
constexpr std::string_view kShared[] = {"toUpper", "toLower", "match",    "reReplaceAll", "printf", "print",
                                        "println", "js",      "urlquery", "eq",           "ne",     "lt",
                                        "le",      "gt",      "ge",       "and",          "or",     "not",
                                        "index",   "slice",   "len",      "call"};

}  // namespace

const rules::TemplateLanguage& language() {
  static const rules::TemplateLanguage made = [] {
    rules::TemplateLanguage out;
    out.max_bytes = 1 << 20;
    out.functions.assign(std::begin(kFunctions), std::end(kFunctions));
    for (const std::string_view name : kShared) out.functions.push_back(*rules::rule_language().find(name));
    return out;
  }();
  return made;
}

}  // namespace vigil::channels
