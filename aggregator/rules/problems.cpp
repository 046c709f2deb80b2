#include "aggregator/rules/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>

namespace vigil::rules {
namespace {

/// Takes ":12" off the front; 0 when it is not there.
int take_number(std::string_view& text) {
  if (!text.starts_with(':')) return 0;
  int number = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  if (error != std::errc{} || number <= 0) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::optional<Problem> placed(std::string_view line) {
  for (std::size_t colon = line.find(':'); colon != std::string_view::npos;
       colon = line.find(':', colon + 1)) {
    std::string_view rest = line.substr(colon);
    const int row = take_number(rest);
    const int column = row == 0 ? 0 : take_number(rest);
    if (column == 0 || !rest.starts_with(": ")) continue;
    return Problem{std::string(line.substr(0, colon)), row, column, std::string(rest.substr(2))};
  }
  return std::nullopt;
}

}  // namespace

std::string Problem::to_string() const {
  return line == 0 ? message : fmt::format("{}:{}:{}: {}", file, line, column, message);
}

std::vector<Problem> split_problems(std::string_view text) {
  std::vector<Problem> problems;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (auto problem = placed(line)) {
      problems.push_back(std::move(*problem));
    } else if (problems.empty()) {
      problems.push_back({"", 0, 0, std::string(line)});
    } else {
      problems.back().message += fmt::format("\n{}", line);
    }
  }
  return problems;
}

std::string in_file_order(std::string_view text) {
  std::vector<Problem> problems = split_problems(text);
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  std::string out;
  for (const Problem& problem : problems) out += (out.empty() ? "" : "\n") + problem.to_string();
  return out;
}

}  // namespace vigil::rules
