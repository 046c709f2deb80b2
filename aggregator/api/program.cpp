#include "aggregator/api/program.h"

#include "aggregator/api/answer.h"
#include "aggregator/api/parameters.h"
#include "common/text/human.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>
#include <unordered_map>

namespace vigil::aggregator::api {
namespace {

constexpr std::size_t kTopByDefault = 10;
constexpr std::size_t kMostTop = 10'000;
constexpr std::size_t kMostSeries = 50'000'000;

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

using Counts = std::unordered_map<std::string, std::uint64_t>;

/// What all series together have most of.
struct SeriesCounts {
  Counts by_metric;
  Counts by_pair;
  std::unordered_map<std::string, Counts> by_label;  // series of each value

  void add(const Labels& labels) {
    for (const LabelView& label : labels) {
      const std::string name(label.name);
      const std::string value(label.value);
      if (label.name == kMetricName) ++by_metric[value];
      std::string pair = name;
      pair += '=';
      pair += value;
      ++by_pair[pair];
      ++by_label[name][value];
    }
  }
  Counts values() const {
    Counts counts;
    for (const auto& [name, values] : by_label) counts[name] = values.size();
    return counts;
  }
  Counts value_bytes() const {
    Counts counts;
    for (const auto& [name, values] : by_label) {
      for (const auto& [value, unused] : values) counts[name] += value.size();
    }
    return counts;
  }
};

void write_top(JsonWriter& json, std::string_view key, const Counts& counts, std::size_t limit) {
  std::vector<std::pair<std::string, std::uint64_t>> sorted(counts.begin(), counts.end());
  std::ranges::sort(sorted, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  sorted.resize(std::min(sorted.size(), limit));
  json.key(key).begin_array();
  for (const auto& [name, count] : sorted)
    json.begin_object().member("name", name).member("value", count).end_object();
  json.end_array();
}

}  // namespace

http::Response build_info_answer(const Facts& facts) {
  return success([&facts](JsonWriter& json) {
    json.begin_object().member("version", kPrometheusVersion).member("revision", "");
    json.member("branch", "").member("buildUser", "").member("buildDate", "").member("goVersion", "");
    json.member("vigilVersion", facts.version).end_object();
  });
}

http::Response config_answer(const ApiSources& sources) {
  return success([&sources](JsonWriter& json) {
    json.begin_object().member("yaml", sources.config().yaml).end_object();
  });
}

http::Response flags_answer(const Facts& facts) {
  return success([&facts](JsonWriter& json) {
    json.begin_object();
    for (const auto& [name, value] : facts.flags) json.member(name, value);
    json.end_object();
  });
}

http::Response runtime_info_answer(const ApiSources& sources) {
  const ConfigState config = sources.config();
  const std::uint64_t damaged = sources.history ? sources.history().damaged_blocks : 0;
  return success([&](JsonWriter& json) {
    json.begin_object().member("startTime", format_rfc3339(sources.facts.started_ms));
    json.member("CWD", sources.facts.working_directory).member("hostname", host_name());
    json.member("serverTime", format_rfc3339(sources.now_ms()));
    json.key("reloadConfigSuccess").boolean(config.reload_ok);
    json.member("lastConfigTime", format_rfc3339(config.loaded_ms)).member("corruptionCount", damaged);
    json.member("goroutineCount", 0).member("GOMAXPROCS", std::thread::hardware_concurrency());
    json.member("GOMEMLIMIT", 0).member("GOGC", "").member("GODEBUG", "");
    json.member("storageRetention", sources.facts.storage_retention).end_object();
  });
}

http::Response tsdb_answer(const Errand& errand, const ApiSources& sources) {
  const auto asked = limit_parameter(errand.request);
  if (!asked) return bad_data(asked.error());
  if (*asked > kMostTop) return bad_data(fmt::format("parameter limit: it must be at most {}", kMostTop));
  const std::size_t limit = *asked == 0 ? kTopByDefault : *asked;
  const auto found = sources.engine.view().series({}, kMostSeries);
  if (!found) return execution_error(found.error());
  SeriesCounts counts;
  for (const SeriesInfo& series : *found) counts.add(*series.labels);
  const HistoryStats history = sources.history ? sources.history() : HistoryStats();
  return success([&](JsonWriter& json) {
    json.begin_object().key("headStats").begin_object().member("numSeries", found->size());
    json.member("numLabelPairs", counts.by_pair.size()).member("chunkCount", history.blocks);
    json.member("minTime", history.oldest_ms).member("maxTime", sources.now_ms()).end_object();
    write_top(json, "seriesCountByMetricName", counts.by_metric, limit);
    write_top(json, "labelValueCountByLabelName", counts.values(), limit);
    write_top(json, "memoryInBytesByLabelName", counts.value_bytes(), limit);
    write_top(json, "seriesCountByLabelValuePair", counts.by_pair, limit);
    json.end_object();
  });
}

http::Response wal_replay_answer() {
  return success([](JsonWriter& json) {
    json.begin_object()
        .member("min", 0)
        .member("max", 0)
        .member("current", 0)
        .member("state", "done")
        .end_object();
  });
}

http::Response notifications_answer() {
  return success([](JsonWriter& json) { json.begin_array().end_array(); });
}

}  // namespace vigil::aggregator::api
