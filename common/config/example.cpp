#include "common/config/example.h"

#include <algorithm>
#include <cctype>

namespace vigil::config {
namespace {

constexpr std::size_t kWidth = 100;

std::vector<std::string_view> steps_of(std::string_view path) {
  std::vector<std::string_view> steps;
  while (true) {
    const std::size_t dot = path.find('.');
    steps.push_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return steps;
    path.remove_prefix(dot + 1);
  }
}

bool stands_for_many(std::string_view step) {
  return step.ends_with("[]") || step.starts_with('<');
}

/// Where a key stands: how far to the right, and whether it is of an item that is only shown.
struct Position {
  std::string_view key;
  std::size_t column = 0;
  std::size_t shown_from = std::string::npos;  // the column of the second #
};

Position position(const std::vector<std::string_view>& steps) {
  Position at{.key = steps.back()};
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    at.column += 2;
    if (!stands_for_many(steps[i])) continue;
    if (at.shown_from == std::string::npos) at.shown_from = at.column - (steps[i].ends_with("[]") ? 0 : 2);
    if (steps[i].ends_with("[]")) at.column += 2;  // "- "
  }
  return at;
}

std::string line(const Position& at, std::string_view text) {
  if (at.shown_from == std::string::npos) return fmt::format("#{:{}}{}\n", "", at.column, text);
  return fmt::format("#{:{}}# {:{}}{}\n", "", at.shown_from, "", at.column - at.shown_from, text);
}

/// `text` as comments of at most kWidth columns.
std::string comment(const Position& at, std::string_view text) {
  std::string out;
  const std::size_t room = kWidth - std::min(kWidth / 2, at.column + 6);
  while (!text.empty()) {
    std::size_t end = text.size() <= room ? text.size() : text.rfind(' ', room);
    if (end == std::string_view::npos || end == 0) end = std::min(text.find(' '), text.size());
    out += line(at, fmt::format("# {}", text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// The default as YAML; "" when it cannot be written, because there is none.
std::string value_of(const Entry& entry) {
  if (entry.type.starts_with("list of ")) return "[]";
  if (entry.type.starts_with("mapping to ")) return "{}";
  const bool text = entry.type == "text" || entry.type == "path";
  if (!text) return entry.fallback;
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/'; };
  if (!entry.fallback.empty() && std::all_of(entry.fallback.begin(), entry.fallback.end(), plain))
    return entry.fallback;
  std::string quoted = "'";
  for (const char c : entry.fallback) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + '\'';
}

/// The line that opens an item, before its first key: "<name>:". A list's "- " stands on the key's own line.
std::string opening(const std::vector<std::string_view>& steps) {
  if (steps.size() < 2 || !steps[steps.size() - 2].starts_with('<')) return {};
  std::vector<std::string_view> item(steps.begin(), steps.end() - 1);
  Position at = position(item);
  at.shown_from = std::min(at.shown_from, at.column);
  return line(at, fmt::format("{}:", item.back()));
}

bool opens_list(const std::vector<std::string_view>& steps) {
  return steps.size() >= 2 && steps[steps.size() - 2].ends_with("[]");
}

std::string parent_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string shown(const Entry& entry, bool first_of_parent) {
  const auto steps = steps_of(entry.path);
  Position at = position(steps);
  const bool mapping = entry.type == "mapping";
  const std::string value = mapping ? "" : value_of(entry);
  // A key without a default could not stand there by itself.
  if (value.empty() && !mapping && at.shown_from == std::string::npos) at.shown_from = at.column;
  std::string key = fmt::format("{}:{}{}", at.key, value.empty() ? "" : " ", value);
  std::string out = first_of_parent ? opening(steps) : "";
  out += comment(at, mapping ? entry.doc : fmt::format("{} ({})", entry.doc, entry.type));
  if (first_of_parent && opens_list(steps)) {
    key = "- " + key;
    at.column -= 2;
  }
  return out + line(at, key);
}

}  // namespace

std::string example(std::string_view program, const std::vector<Entry>& entries) {
  std::string out = fmt::format(
      "## Configuration of {0}. Every key stands here with its default, switched off by the first #\n"
      "## of its line: remove it there, and from the keys further left that it is below.\n"
      "## A second # marks what is only shown: the keys of an item of a list.\n"
      "## {0} --check --config FILE says whether a file is right.\n",
      program);
  std::vector<std::string> begun;
  for (const Entry& entry : entries) {
    const std::string parent = parent_of(entry.path);
    const bool first = std::find(begun.begin(), begun.end(), parent) == begun.end();
    if (first) begun.push_back(parent);
    if (parent.empty()) out += '\n';
    out += shown(entry, first);
  }
  return out;
}

}  // namespace vigil::config
