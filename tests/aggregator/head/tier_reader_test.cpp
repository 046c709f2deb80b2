// Questions about times whose samples are gone: minutes and hours answer them.
#include "aggregator/head/host_head.h"
#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/parser.h"
#include "aggregator/store/history.h"
#include "tests/aggregator/store/folder_fixture.h"

namespace vigil::aggregator {
namespace {

using testing::make_host;
using testing::open_history;
using testing::OpenHistory;
using testing::TemporaryFolder;

constexpr std::int64_t kDay = 1'700'006'400'000;  // a midnight
const SourceKey kNode{"node", 1000};

/// Six hours of a counter and two gauges on the first day, a sample a second; a year later there are only
/// tiers, unless samples are kept longer.
struct Past : promql::Storage {
  TemporaryFolder folder;
  std::int64_t now_ms = kDay + 6 * kHourMs;
  std::unique_ptr<OpenHistory> open;
  HostHead head{0, SeriesRegistry("h", {}), {}};

  explicit Past(std::chrono::hours minutes_kept, std::chrono::hours samples_kept = std::chrono::hours(24)) {
    HistoryOptions options = testing::test_options(folder.path());
    options.now_ms = [this] { return now_ms; };
    options.keep = {TierKeep{samples_kept}, TierKeep{minutes_kept}, TierKeep{}};
    open = open_history(options);
    declare("counter", SeriesType::counter);
    declare("gauge", SeriesType::gauge);
    declare("second", SeriesType::gauge);
    REQUIRE(open->history->put_host(make_host(0)));
    std::int64_t counter = 0;
    for (std::int64_t slot = 0; slot < 180; ++slot) seal_slot(slot, counter);
    now_ms += 400 * kDayMs;
    REQUIRE(
        open->history->seal(0, {{kNode, SealedBlock::open(seal({{0, 1}, {now_ms}, {1, 1}})).value()}}, {}));
    REQUIRE(open->history->tidy());
    head.adopt({}, now_ms);
  }

  void declare(const std::string& name, SeriesType type) {
    const SeriesSpec spec{name, {}, type};
    const auto id = static_cast<SeriesId>(head.registry().size());
    head.registry().add(id, head.registry().full_labels("node", spec), {type});
    if (id == 0) REQUIRE(open->history->put_host(make_host(0)));
    REQUIRE(open->history->put_series(0, {SeriesRecord{id, kNode, spec}}));
  }

  /// The counter grows by 2 a second and is reset once, after 10,000 s; one gauge is the number of the
  /// minute, the other that of the second within it.
  void seal_slot(std::int64_t slot, std::int64_t& counter) {
    Block block{{0, 1, 2}, {}, {}};
    std::vector<std::int64_t> minutes;
    std::vector<std::int64_t> seconds;
    for (std::int64_t second = slot * 120; second < slot * 120 + 120; ++second) {
      counter = second == 10'000 ? 0 : counter + 2;
      block.times_ms.push_back(kDay + second * 1000);
      block.values.push_back(counter);
      minutes.push_back(second / 60);
      seconds.push_back(second % 60);
    }
    block.values.insert(block.values.end(), minutes.begin(), minutes.end());
    block.values.insert(block.values.end(), seconds.begin(), seconds.end());
    REQUIRE(open->history->seal(0, {{kNode, SealedBlock::open(seal(block)).value()}}, {}));
  }

  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override {
    std::vector<promql::SelectedSeries> out;
    auto read = read_slice(head.slice(selection), open->history.get(),
                           {selection.start_ms, selection.end_ms, 1'000'000, selection.coarse_ms,
                            selection.stand, open->history->rolled_up_until_ms()},
                           out);
    if (!read) return read.error();
    return out;
  }

  double ask(const std::string& expression, std::int64_t at_ms) {
    auto parsed = promql::parse(expression);
    REQUIRE(parsed);
    auto value = promql::evaluate_instant(**parsed, *this, at_ms, {});
    REQUIRE(value);
    const auto& vector = std::get<promql::Vector>(value->data);
    REQUIRE(vector.size() == 1);
    return vector.front().v;
  }

  promql::MatrixValue ask(const std::string& expression, const promql::TimeRange& range) {
    auto value = promql::evaluate_range(**promql::parse(expression), *this, range, {});
    REQUIRE(value);
    REQUIRE(value->series.size() == 1);
    return *value;
  }
};

}  // namespace

TEST_CASE("Where samples are gone, minutes answer, and a reset between them is not lost") {
  Past past(std::chrono::hours(24 * 1000));
  REQUIRE(past.open->history->complete_from_ms(Tier::raw) == kDay + kDayMs);
  CHECK(past.ask("gauge", kDay + 3 * kHourMs) == 179);
  // 3 h of 2 a second, but for the second of the reset, in which it fell to 0.
  CHECK(past.ask("increase(counter[3h])", kDay + 4 * kHourMs) == Approx(2 * 3 * 3600 - 2).epsilon(0.005));
  CHECK(past.ask("max_over_time(gauge[1h])", kDay + 2 * kHourMs) == 119);
}

TEST_CASE("Where samples are gone, the least and greatest of minutes and hours answer for them, and say so") {
  const auto minutes_kept = GENERATE(24, 24 * 1000);
  Past past{std::chrono::hours(minutes_kept)};
  CHECK(past.ask("max_over_time(second[2h])", kDay + 3 * kHourMs) == 59);
  CHECK(past.ask("min_over_time(second[2h])", kDay + 3 * kHourMs) == 0);
  const auto value = past.ask("max_over_time(second[2h])", {kDay + 3 * kHourMs, kDay + 4 * kHourMs, kHourMs});
  REQUIRE(value.annotations.infos.size() == 1);
  CHECK(value.annotations.infos[0].find(minutes_kept == 24 ? "one value an hour" : "one value a minute") !=
        std::string::npos);
}

TEST_CASE("A coarse step over days that are over reads minutes, a finer one samples") {
  Past past(std::chrono::hours(24 * 1000), std::chrono::hours(24 * 1000));
  REQUIRE(past.open->history->rolled_up_until_ms() == kDay + kDayMs);
  const promql::TimeRange coarse{kDay + kHourMs, kDay + 3 * kHourMs, 10 * kMinuteMs};
  const auto by_minutes = past.ask("gauge", coarse);
  REQUIRE(by_minutes.series[0].points.size() == 13);
  CHECK(by_minutes.series[0].points[0].v == 59);  // of the minute that ended, as exact as the step needs
  REQUIRE(by_minutes.annotations.infos.size() == 1);
  CHECK(by_minutes.annotations.infos[0].find("one value a minute") != std::string::npos);
  const auto growth = past.ask("increase(counter[10m])", coarse);
  // Where the counter was reset there is a point more, and what is beyond the outermost ones is guessed
  // smaller.
  for (const auto& point : growth.series[0].points) CHECK(point.v == Approx(1200).epsilon(0.06));
  CHECK(past.ask("max_over_time(second[10m])", coarse).series[0].points[0].v == 59);

  // Each sample counts: by the step, or by what is asked.
  for (const auto& [expression, step_ms, first] :
       {std::tuple("gauge", kMinuteMs, 60.0),
        std::tuple("count_over_time(gauge[10m])", 10 * kMinuteMs, 600.0),
        std::tuple("increase(counter[1m])", 10 * kMinuteMs, 120.0)}) {
    const auto exact = past.ask(expression, {kDay + kHourMs, kDay + 3 * kHourMs, step_ms});
    CHECK(exact.series[0].points[0].v == Approx(first).epsilon(1e-12));
    CHECK(exact.annotations.infos.size() == (std::string_view(expression).starts_with("inc") ? 1 : 0));
  }
}

TEST_CASE("Where minutes are gone, hours answer, and an instant selector looks back that far") {
  Past past(std::chrono::hours(24));
  REQUIRE(past.open->history->complete_from_ms(Tier::minute) > kDay + kDayMs);
  CHECK(past.ask("gauge", kDay + 3 * kHourMs) == 179);
  CHECK(past.ask("gauge", kDay + 3 * kHourMs + 30 * kMinuteMs) == 179);
  CHECK(past.ask("increase(counter[241m])", kDay + 6 * kHourMs) == Approx(2 * 241 * 60).epsilon(0.005));
}

}  // namespace vigil::aggregator
