#include "cli/bench/read_back.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <span>
#include <unordered_map>

namespace vigil::cli {
namespace {

constexpr std::size_t kMostPattern = 950;  // bytes of a regular expression; a query takes 1,000

using Numbers = std::vector<std::size_t>;  // of agents

std::string_view label(const v1::QuerySeries& series, std::string_view name) {
  for (const auto& label : series.labels())
    if (label.name() == name) return label.value();
  return {};
}

class Reader {
 public:
  Reader(Client& client, const Sent& sent) : client_(client), sent_(sent) {
    for (std::size_t i = 0; i < sent.agents.size(); ++i) {
      by_name_[sent.agents[i].name] = i;
      most_rows_ = std::max(most_rows_, sent.agents[i].sent_rows);
      const std::string_view name = sent.agents[i].name;
      if (i == 0) prefix_ = name;
      const auto differs = std::mismatch(prefix_.begin(), prefix_.end(), name.begin(), name.end()).first;
      prefix_ = prefix_.substr(0, static_cast<std::size_t>(differs - prefix_.begin()));
      longest_ = std::max(longest_, name.size());
    }
  }

  Result<void> compare(std::size_t agent, ReadBack& out);
  Result<void> count(std::span<const std::size_t> agents, ReadBack& out);
  /// Agents whose names fit into one regular expression.
  std::size_t names_at_once() const {
    return std::max<std::size_t>((kMostPattern - prefix_.size()) / (longest_ - prefix_.size() + 1), 1);
  }
  /// Samples of an agent, about.
  std::uint64_t samples() const { return std::max<std::uint64_t>(most_rows_ * columns(), 1); }

 private:
  std::size_t columns() const { return sent_.replay->series().size(); }
  std::string selector(std::span<const std::size_t> agents) const;
  Result<v1::QueryResult> ask(std::string expression);
  /// The column a series of an answer is, or columns().
  std::size_t column_of(const v1::QuerySeries& series) const;
  void compare_points(const v1::QuerySeries& series, const SentAgent& agent, std::vector<bool>& seen,
                      ReadBack& out) const;
  void note(ReadBack& out, const SentAgent& agent, std::size_t column, std::string what) const;

  Client& client_;
  const Sent& sent_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::string_view prefix_;  // of all names
  std::size_t longest_ = 0;  // name
  std::uint64_t most_rows_ = 0;
};

std::string Reader::selector(std::span<const std::size_t> agents) const {
  std::string names;
  for (const std::size_t agent : agents) {
    if (!names.empty()) names += '|';
    names += sent_.agents[agent].name.substr(prefix_.size());
  }
  // Left-open, and one interval longer at both ends: what is there too often lies there, too.
  return fmt::format("{{instance=~\"{}({})\",series!=\"\"}}[{}ms]", prefix_, names,
                     static_cast<std::int64_t>(most_rows_ + 2) * sent_.interval_ms);
}

Result<v1::QueryResult> Reader::ask(std::string expression) {
  v1::InstantRequest request;
  request.set_expression(std::move(expression));
  request.set_time_ms(sent_.first_time_ms + static_cast<std::int64_t>(most_rows_) * sent_.interval_ms);
  return client_.instant(request);
}

std::size_t Reader::column_of(const v1::QuerySeries& series) const {
  const std::string_view text = label(series, "series");
  std::size_t column = columns();
  std::from_chars(text.data(), text.data() + text.size(), column);
  return std::min(column, columns());
}

void Reader::note(ReadBack& out, const SentAgent& agent, std::size_t column, std::string what) const {
  if (out.example.empty()) out.example = fmt::format("{} series {}: {}", agent.name, column, what);
}

Result<void> Reader::compare(std::size_t number, ReadBack& out) {
  const SentAgent& agent = sent_.agents[number];
  const auto answer = ask(selector({&number, 1}));
  if (!answer) return answer.error();
  std::vector<std::vector<bool>> seen(columns());
  for (auto& rows : seen) rows.assign(agent.sent_rows, false);
  for (const v1::QuerySeries& series : answer->series()) {
    const std::size_t column = column_of(series);
    if (column < columns()) {
      compare_points(series, agent, seen[column], out);
    } else {
      out.doubled += static_cast<std::uint64_t>(series.values_size());
    }
  }
  for (std::size_t column = 0; column < columns(); ++column) {
    const auto end = seen[column].begin() + static_cast<std::ptrdiff_t>(agent.acked_rows);
    const auto missing = std::count(seen[column].begin(), end, false);
    if (missing > 0) note(out, agent, column, fmt::format("{} samples are missing", missing));
    out.lost += static_cast<std::uint64_t>(missing);
  }
  ++out.compared_agents;
  out.samples += agent.acked_rows * columns();
  return {};
}

void Reader::compare_points(const v1::QuerySeries& series, const SentAgent& agent, std::vector<bool>& seen,
                            ReadBack& out) const {
  const std::size_t column = column_of(series);
  const SeriesSpec& spec = sent_.replay->series()[column];
  for (int i = 0; i < series.values_size(); ++i) {
    const std::int64_t since_ms = series.times_ms(i) - sent_.first_time_ms;
    const auto row = static_cast<std::uint64_t>(since_ms / sent_.interval_ms);
    if (since_ms < 0 || since_ms % sent_.interval_ms != 0 || row >= agent.sent_rows || seen[row]) {
      ++out.doubled;
      note(out, agent, column, fmt::format("a sample at {} that was not sent so", series.times_ms(i)));
      continue;
    }
    const double expected =
        to_double(sent_.replay->value(agent.first_row + row, column), spec.encoding, spec.scale);
    seen[row] = series.values(i) == expected;
    if (seen[row]) continue;
    ++out.wrong;
    note(out, agent, column,
         fmt::format("{} at {}, sent was {}", series.values(i), series.times_ms(i), expected));
  }
}

Result<void> Reader::count(std::span<const std::size_t> agents, ReadBack& out) {
  const auto answer = ask("count_over_time(" + selector(agents) + ")");
  if (!answer) return answer.error();
  std::unordered_map<std::size_t, std::vector<std::uint64_t>> found;
  for (const std::size_t agent : agents) found[agent].assign(columns(), 0);
  for (const v1::QuerySeries& series : answer->series()) {
    const auto agent = by_name_.find(label(series, "instance"));
    const std::size_t column = column_of(series);
    if (agent == by_name_.end() || column >= columns() || series.values_size() != 1) continue;
    found[agent->second][column] += static_cast<std::uint64_t>(series.values(0));
  }
  for (const std::size_t number : agents) {
    const SentAgent& agent = sent_.agents[number];
    for (std::size_t column = 0; column < columns(); ++column) {
      const std::uint64_t there = found[number][column];
      if (there < agent.acked_rows || there > agent.sent_rows)
        note(out, agent, column, fmt::format("{} samples of {}", there, agent.acked_rows));
      out.lost += agent.acked_rows - std::min(agent.acked_rows, there);
      out.doubled += std::max(agent.sent_rows, there) - agent.sent_rows;
    }
    ++out.counted_agents;
    out.samples += agent.acked_rows * columns();
  }
  return {};
}

/// `wanted` of `from`, evenly chosen.
Numbers choose(const Numbers& from, std::size_t wanted) {
  Numbers chosen;
  wanted = std::min(wanted, from.size());
  for (std::size_t i = 0; i < wanted; ++i) chosen.push_back(from[i * from.size() / wanted]);
  return chosen;
}

}  // namespace

Result<ReadBack> read_back(Client& client, const Sent& sent, const ReadBackLimits& limits,
                           const std::function<bool(std::size_t, std::size_t)>& go_on) {
  ReadBack out;
  Reader reader(client, sent);
  Numbers all(sent.agents.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const std::uint64_t each = reader.samples();
  const Numbers compared = choose(all, std::max<std::size_t>(limits.compared_samples / each, 1));
  Numbers others;
  std::set_difference(all.begin(), all.end(), compared.begin(), compared.end(), std::back_inserter(others));
  const Numbers counted = choose(others, limits.counted_samples / each);
  const std::size_t total = compared.size() + counted.size();
  for (const std::size_t agent : compared) {
    if (!go_on(out.compared_agents, total)) return out;
    if (auto done = reader.compare(agent, out); !done) return done.error();
  }
  const std::size_t series = std::max<std::size_t>(sent.replay->series().size(), 1);
  const std::size_t at_once = std::clamp<std::size_t>(
      std::min(limits.samples_at_once / each, limits.series_at_once / series), 1, reader.names_at_once());
  for (std::size_t i = 0; i < counted.size(); i += at_once) {
    if (!go_on(compared.size() + i, total)) return out;
    const std::size_t end = std::min(i + at_once, counted.size());
    if (auto done = reader.count({counted.data() + i, end - i}, out); !done) return done.error();
  }
  return out;
}

}  // namespace vigil::cli
