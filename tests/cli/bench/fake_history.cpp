#include "tests/cli/bench/fake_history.h"

#include <charconv>

namespace vigil::cli::testing {
namespace {

/// Between the first `before` and the `after` that follows it.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t begin = text.find(before) + before.size();
  return text.substr(begin, text.find(after, begin) - begin);
}

/// Whether `pattern`, of the form prefix(a|b|c), is `name`.
bool names(std::string_view pattern, std::string_view name) {
  const std::size_t open = pattern.find('(');
  std::string_view alternatives = pattern.substr(open + 1, pattern.size() - open - 2);
  if (!name.starts_with(pattern.substr(0, open))) return false;
  name.remove_prefix(open);
  while (!alternatives.empty()) {
    const std::size_t bar = std::min(alternatives.find('|'), alternatives.size());
    if (alternatives.substr(0, bar) == name) return true;
    alternatives.remove_prefix(std::min(bar + 1, alternatives.size()));
  }
  return false;
}

}  // namespace

void FakeHistory::store(const Sent& sent) {
  for (const SentAgent& agent : sent.agents) {
    for (std::size_t column = 0; column < sent.replay->series().size(); ++column) {
      const SeriesSpec& spec = sent.replay->series()[column];
      for (std::uint64_t row = 0; row < agent.acked_rows; ++row) {
        points(agent.name, column)
            .push_back(
                {sent.first_time_ms + static_cast<std::int64_t>(row) * sent.interval_ms,
                 to_double(sent.replay->value(agent.first_row + row, column), spec.encoding, spec.scale)});
      }
    }
  }
}

Result<v1::QueryResult> FakeHistory::instant(const v1::InstantRequest& request) {
  const std::string& expression = request.expression();
  asked.push_back(expression);
  const bool counts = expression.starts_with("count_over_time(");
  const std::string_view instances = between(expression, "instance=~\"", "\"");
  if (instances.size() > 1000) return fail(Errc::parse, "regular expression is longer than 1000 bytes");
  const std::string_view window = between(expression, "[", "ms]");
  std::int64_t window_ms = 0;
  std::from_chars(window.data(), window.data() + window.size(), window_ms);
  v1::QueryResult result;
  for (const auto& [key, points] : stored) {
    if (!names(instances, key.first)) continue;
    v1::QuerySeries series;
    for (const auto& [name, value] : {std::pair{"instance", key.first}, {"series", key.second}}) {
      series.add_labels()->set_name(name);
      series.mutable_labels(series.labels_size() - 1)->set_value(value);
    }
    for (const Point& point : points) {
      if (point.time_ms > request.time_ms() || point.time_ms <= request.time_ms() - window_ms) continue;
      series.add_times_ms(point.time_ms);
      series.add_values(point.value);
    }
    if (series.values_size() == 0) continue;
    if (counts) {
      const int count = series.values_size();
      series.clear_times_ms();
      series.clear_values();
      series.add_times_ms(request.time_ms());
      series.add_values(count);
    }
    *result.add_series() = std::move(series);
  }
  return result;
}

}  // namespace vigil::cli::testing
