// What channels write, read back as its readers do: the structure of JSON, fields of a form, and of Slack's
// markup, Markdown and HTML what a person sees and what is more than text. Nothing here is vigil's own code,
// so that an escape that is wrong is not undone by its like.
#pragma once

#include <boost/json.hpp>
#include <cctype>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::test {

/// Keys, lengths and types, and no values.
inline std::string shape_of(const boost::json::value& value) {
  std::string out;
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) out += std::string(key) + ":" + shape_of(member) + ",";
    return "{" + out + "}";
  }
  if (const auto* array = value.if_array()) {
    for (const auto& item : *array) out += shape_of(item) + ",";
    return "[" + out + "]";
  }
  if (value.is_string()) return "text";
  if (value.is_bool()) return "bool";
  return value.is_null() ? "null" : "number";
}

inline std::optional<std::string> percent_decoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') return std::nullopt;  // some read it as a blank
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const std::size_t high = kDigits.find(text[i + 1]);
    const std::size_t low = kDigits.find(text[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return out;
}

/// Nothing when it is no form, or when a field is there twice.
inline std::optional<std::map<std::string, std::string>> read_form(std::string_view form) {
  std::map<std::string, std::string> out;
  while (!form.empty()) {
    const std::string_view field = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(form.size(), field.size() + 1));
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto name = percent_decoded(field.substr(0, equals));
    const auto value = percent_decoded(field.substr(equals + 1));
    if (!name || !value || !out.emplace(*name, *value).second) return std::nullopt;
  }
  return out;
}

struct Markup {
  std::string visible;              // what a person reads
  std::vector<std::string> active;  // links, tags, mentions, and characters that are markup
};

/// "&lt;" to "<"; what is no entity stays.
inline std::string without_entities(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kEntities[] = {
      {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&#34;", "\""}, {"&#39;", "'"}};
  std::string out;
  while (!text.empty()) {
    std::size_t length = 1;
    std::string_view meant = text.substr(0, 1);
    for (const auto& [entity, character] : kEntities) {
      if (!text.starts_with(entity)) continue;
      length = entity.size();
      meant = character;
    }
    out += meant;
    text.remove_prefix(length);
  }
  return out;
}

/// Slack's mrkdwn: what stands in <...> is a link, a mention or a date.
inline Markup read_mrkdwn(std::string_view text) {
  Markup out;
  std::string plain;
  while (!text.empty()) {
    const std::size_t end = text.front() == '<' ? text.find('>') : 0;
    if (text.front() != '<') {
      plain += text.front();
      text.remove_prefix(1);
      continue;
    }
    out.active.emplace_back(text.substr(0, end == std::string_view::npos ? end : end + 1));
    text.remove_prefix(out.active.back().size());
  }
  out.visible = without_entities(plain);
  return out;
}

/// What of Slack's mrkdwn is markup, in order, values left out: `*`, `_` and `~` beside a text, code, emoji,
/// the ends of lines, and what stands in <...>. Quoted lines that follow one another are one.
inline std::string mrkdwn_marks(std::string_view text) {
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  const auto at = [text](std::size_t i) { return i < text.size() ? text[i] : '\n'; };
  const auto is_space = [](char c) { return c == ' ' || c == '\n'; };
  const auto is_in_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0 || c == '_' || c == '-' ||
           c == '+' || c == '\'';
  };
  std::string out;
  bool is_quote = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char before = i == 0 ? '\n' : text[i - 1];
    const std::size_t close = c == '`' ? text.find('`', i + 1) : c == '<' ? text.find('>', i) : 0;
    std::size_t name_end = c == ':' ? i + 1 : std::string_view::npos;
    while (name_end < text.size() && is_in_name(text[name_end])) ++name_end;
    if (before == '\n') {
      const bool is_quoted = c == '>' || text.substr(i).starts_with("&gt;");
      if (i > 0 && !(is_quote && is_quoted)) out += '\n';
      is_quote = is_quoted;
    }
    if (close > i && close != std::string_view::npos) {
      out += c == '`' ? "`" : "<>";
      i = close;
    } else if (c == ':' && name_end != std::string_view::npos && at(name_end) == ':' && name_end > i + 1 &&
               text.substr(i, name_end - i).find("\xE2\x81\xA0") == std::string_view::npos) {
      out += text.substr(i, name_end - i + 1);
      i = name_end;
    } else if (c == '`' || ((c == '*' || c == '~') && !(is_space(before) && is_space(at(i + 1)))) ||
               (c == '_' && !(is_word(before) && is_word(at(i + 1))))) {
      out += c;
    }
  }
  return out;
}

/// Markdown: a backslash makes the next character text; "[x](y)" outside of that is a link.
inline Markup read_markdown(std::string_view text) {
  constexpr std::string_view kMarkup = "`*_[]<>()#~|!";
  Markup out;
  while (!text.empty()) {
    const bool is_escaped = text.front() == '\\' && text.size() > 1;
    if (is_escaped) text.remove_prefix(1);
    if (!is_escaped && kMarkup.find(text.front()) != std::string_view::npos)
      out.active.emplace_back(1, text.front());
    out.visible += text.front();
    text.remove_prefix(1);
  }
  return out;
}

/// HTML: tags as they are written, with their attributes.
inline Markup read_html(std::string_view text) {
  Markup out;
  std::string plain;
  while (!text.empty()) {
    if (text.front() != '<') {
      plain += text.front();
      text.remove_prefix(1);
      continue;
    }
    std::string tag;
    char quote = 0;
    while (!text.empty() && (quote != 0 || text.front() != '>')) {
      if (quote == 0 && (text.front() == '"' || text.front() == '\'')) {
        quote = text.front();
      } else if (text.front() == quote) {
        quote = 0;
      }
      tag += text.front();
      text.remove_prefix(1);
    }
    if (!text.empty()) text.remove_prefix(1);
    out.active.push_back(std::move(tag));
  }
  out.visible = without_entities(plain);
  return out;
}

}  // namespace vigil::test
