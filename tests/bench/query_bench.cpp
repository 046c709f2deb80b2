// What questions cost: a fleet whose last hour lies in the head and in the day's file, asked as dashboards
// ask, through the same storage as the aggregator's. CPU of all threads; a question is asked several times
// and the median told, the first time (nothing cached) beside it.
//
//   query_bench [FOLDER]      FOLDER: where the history is made; else below the folder for temporary files
#include "aggregator/head/fleet_view.h"
#include "aggregator/head/shard_set.h"
#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/parser.h"
#include "aggregator/store/history.h"
#include "common/log/log.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace vigil;
using namespace vigil::aggregator;

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kEnd = 19'675 * kDay + 23 * 3'600'000;  // the day lasts: nothing is compacted
constexpr std::int64_t kSlot = 120'000;
const SourceKey kSource{"node", 1000};

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}
double wall_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

SeriesSpec spec(std::string name, Labels labels, SeriesType type, std::uint8_t scale) {
  return {std::move(name), std::move(labels), type, Encoding::decimal, scale};
}

/// Sixteen counters of CPU time in hundredths of a second, and eight gauges, some of which move.
std::vector<SeriesSpec> specs_of(bool with_cpus) {
  std::vector<SeriesSpec> specs;
  constexpr std::array kModes = {"idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"};
  for (int cpu = 0; with_cpus && cpu < 2; ++cpu) {
    for (const char* mode : kModes)
      specs.push_back(spec("node_cpu_seconds_total", {{"cpu", std::to_string(cpu)}, {"mode", mode}},
                           SeriesType::counter, 2));
  }
  specs.push_back(spec("node_load1", {}, SeriesType::gauge, 2));
  for (const char* name : {"MemTotal", "MemAvailable", "MemFree", "Cached"})
    specs.push_back(spec(fmt::format("node_memory_{}_bytes", name), {}, SeriesType::gauge, 0));
  specs.push_back(spec("node_network_receive_bytes_total", {{"device", "eth0"}}, SeriesType::counter, 0));
  specs.push_back(spec("node_network_transmit_bytes_total", {{"device", "eth0"}}, SeriesType::counter, 0));
  specs.push_back(spec("node_filesystem_avail_bytes", {{"mountpoint", "/"}}, SeriesType::gauge, 0));
  return specs;
}

/// One host's sixteen counters move by a second each second and CPU, gauges wander.
class Walk {
 public:
  Walk(std::size_t counters, std::size_t all, std::uint32_t seed)
      : counters_(counters), values_(all, 1'000'000), random_(seed) {}

  const std::vector<std::int64_t>& next() {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const std::uint64_t dice = random_();
      if (i < counters_) {
        values_[i] +=
            i % 8 == 0 ? 80 + static_cast<std::int64_t>(dice % 16) : static_cast<std::int64_t>(dice % 4);
      } else {
        const std::size_t kind = i - counters_;
        if (kind == 0)
          values_[i] = std::max<std::int64_t>(0, values_[i] + static_cast<std::int64_t>(dice % 9) - 4);
        if (kind >= 2 && kind <= 4) values_[i] += (static_cast<std::int64_t>(dice % 129) - 64) * 4096;
        if (kind == 5 || kind == 6) values_[i] += static_cast<std::int64_t>(dice % 20'000);
        if (kind == 7) values_[i] -= static_cast<std::int64_t>(dice % 3) * 4096;
      }
    }
    return values_;
  }

 private:
  const std::size_t counters_;
  std::vector<std::int64_t> values_;
  std::minstd_rand random_;
};

struct Shape {
  int hosts = 1000;
  int with_cpus = 100;  // of them
  std::int64_t span_ms = 3'900'000;
};

class Fleet {
 public:
  explicit Fleet(const std::filesystem::path& folder) {
    HistoryOptions options;
    options.directory = folder;
    options.now_ms = [] { return kEnd; };
    history_ = std::move(*History::open(std::move(options)));
    (void)history_->recover();
    (void)history_->replay([](const JournalEntry&) {});
    history_->start({[](std::span<const DurableBatch>) {}, [](const Error&) {}});
    shards_ = std::make_unique<ShardSet>(2, ShardOptions{}, history_.get());
    view_ = std::make_unique<FleetView>(*shards_, history_.get());
  }

  void fill(const Shape& shape) {
    for (int i = 0; i < shape.hosts; ++i)
      fill_host(fmt::format("host-{:04}", i), i < shape.with_cpus, shape.span_ms);
    fill_host("day-1", true, 24 * 3'600'000 + 300'000);
    (void)history_->sync();
    for (std::size_t i = 0; i < shards_->size(); ++i) shards_->at(i).worker().start();
  }
  FleetView& view() { return *view_; }
  double samples() const { return samples_; }

 private:
  void fill_host(const std::string& name, bool with_cpus, std::int64_t span_ms) {
    Shard& shard = shards_->of(name);
    HostRecord record;
    record.name = name;
    record.machine_id = std::string(16, 'm');
    record.interval_ms = 1000;
    Host& host = **shard.enroll(record, kEnd - span_ms);
    const auto specs = specs_of(with_cpus);
    auto ids = *shard.columns(host, kSource, specs, kEnd);
    host.head.set_columns(1, kSource, std::move(ids));
    Walk walk(with_cpus ? 16 : 0, specs.size(), static_cast<std::uint32_t>(std::hash<std::string>()(name)));
    for (std::int64_t t = kEnd - span_ms; t <= kEnd; t += 1000) {
      host.head.append(1, t, walk.next());
      if (!host.head.seal_due(t)) continue;
      shard.seal(host, t);
      host.head.evict(t);
      if (++seals_ % 2000 == 0) (void)history_->sync();  // the queue stays short
    }
    samples_ += static_cast<double>(specs.size()) * static_cast<double>(span_ms) / 1000;
  }

  std::unique_ptr<History> history_;
  std::unique_ptr<ShardSet> shards_;
  std::unique_ptr<FleetView> view_;
  double samples_ = 0;
  int seals_ = 0;
};

struct Question {
  const char* name;
  const char* expression;
  std::int64_t span_ms = 0;  // 0: instant
  std::int64_t step_ms = 60'000;
};

struct Cost {
  double cpu = 0;
  double wall = 0;
  std::size_t points = 0;
};

Cost ask(FleetView& view, const Question& question) {
  const double cpu = cpu_ms();
  const double wall = wall_ms();
  Cost cost;
  const auto expr = promql::parse(question.expression);
  FleetStorage storage(view);
  if (question.span_ms == 0) {
    const auto value = promql::evaluate_instant(**expr, storage, kEnd + 400, {});
    if (!value) std::printf("%s: %s\n", question.expression, value.error().message.c_str());
    if (value) cost.points = std::get<promql::Vector>(value->data).size();
  } else {
    const auto value = promql::evaluate_range(
        **expr, storage, {kEnd - question.span_ms + 400, kEnd + 400, question.step_ms}, {});
    if (!value) std::printf("%s: %s\n", question.expression, value.error().message.c_str());
    if (value)
      for (const auto& series : value->series) cost.points += series.points.size();
  }
  cost.cpu = cpu_ms() - cpu;
  cost.wall = wall_ms() - wall;
  return cost;
}

constexpr std::int64_t kHour = 3'600'000;
constexpr Question kQuestions[] = {
    {"last value, 1,000 hosts", "node_load1"},
    {"rate, 1,600 series, 1 h", "avg by (instance) (rate(node_cpu_seconds_total[5m]))", kHour},
    {"one series, 24 h", R"(node_load1{instance="day-1"})", 24 * kHour, 300'000},
    {"one series' rate, 24 h", R"(rate(node_network_receive_bytes_total{instance="day-1"}[5m]))", 24 * kHour,
     300'000},
    {"one metric of 1,000 hosts, 1 h", "avg(node_load1)", kHour},
    {"max over 10 m, 1 h at 15 s", R"(max_over_time(node_load1{instance=~"host-00.*"}[10m]))", kHour, 15'000},
};
constexpr Question kDashboard[] = {
    {"",
     R"(100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{instance="host-0003", mode="idle"}[5m]))))",
     kHour, 15'000},
    {"", R"(sum by (mode) (rate(node_cpu_seconds_total{instance="host-0003"}[5m])))", kHour, 15'000},
    {"", R"(node_load1{instance="host-0003"})", kHour, 15'000},
    {"",
     R"(node_memory_MemAvailable_bytes{instance="host-0003"} / node_memory_MemTotal_bytes{instance="host-0003"})",
     kHour, 15'000},
    {"", R"(node_memory_MemFree_bytes{instance="host-0003"})", kHour, 15'000},
    {"", R"(node_memory_Cached_bytes{instance="host-0003"})", kHour, 15'000},
    {"", R"(rate(node_network_receive_bytes_total{instance="host-0003"}[5m]) * 8)", kHour, 15'000},
    {"", R"(rate(node_network_transmit_bytes_total{instance="host-0003"}[5m]) * 8)", kHour, 15'000},
    {"", R"(node_filesystem_avail_bytes{instance="host-0003"})", kHour, 15'000},
    {"", R"(predict_linear(node_filesystem_avail_bytes{instance="host-0003"}[30m], 4 * 3600))", kHour,
     15'000},
    {"", R"(max_over_time(node_load1{instance="host-0003"}[10m]))", kHour, 15'000},
    {"", "topk(5, node_load1)", 0},
};

Cost median(FleetView& view, const Question& question, int times) {
  std::vector<Cost> costs;
  for (int i = 0; i < times; ++i) costs.push_back(ask(view, question));
  std::ranges::sort(costs, {}, &Cost::cpu);
  return costs[costs.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  log::set_level(log::Level::error);
  const auto folder =
      argc > 1 ? std::filesystem::path(argv[1])
               : std::filesystem::temp_directory_path() / fmt::format("vigil-query-bench-{}", getpid());
  std::filesystem::remove_all(folder);
  {
    Fleet fleet(folder);
    fleet.fill({});
    const char* only = std::getenv("QUERY_BENCH_ONLY");
    const char* often = std::getenv("QUERY_BENCH_TIMES");  // for a profiler
    const int times = often == nullptr ? 7 : std::atoi(often);
    for (const Question& question : kQuestions) {
      if (only != nullptr && std::string_view(question.name).find(only) == std::string_view::npos) continue;
      const Cost first = ask(fleet.view(), question);
      const Cost cost = median(fleet.view(), question, times);
      std::printf("query name=\"%s\" cpu_ms=%.2f wall_ms=%.2f first_cpu_ms=%.2f points=%zu expression=%s\n",
                  question.name, cost.cpu, cost.wall, first.cpu, cost.points, question.expression);
    }
    if (only == nullptr) {
      Cost all;
      for (const Question& question : kDashboard) {
        const Cost cost = median(fleet.view(), question, 5);
        all.cpu += cost.cpu;
        all.wall += cost.wall;
        all.points += cost.points;
      }
      std::printf("dashboard panels=%zu cpu_ms=%.2f wall_ms=%.2f points=%zu\n", std::size(kDashboard),
                  all.cpu, all.wall, all.points);
    }
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("stored samples=%.0f peak_rss_mib=%.0f\n", fleet.samples(),
                static_cast<double>(usage.ru_maxrss) / 1024);
  }
  std::filesystem::remove_all(folder);
  return 0;
}
