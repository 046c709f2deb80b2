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

/// Six hours of one counter and one gauge on the first day, a sample a second; a year later there are only
/// tiers.
struct Past : promql::Storage {
  TemporaryFolder folder;
  std::int64_t now_ms = kDay + 6 * kHourMs;
  std::unique_ptr<OpenHistory> open;
  HostHead head{0, SeriesRegistry("h", {}), {}};

  explicit Past(std::chrono::hours minutes_kept) {
    HistoryOptions options = testing::test_options(folder.path());
    options.now_ms = [this] { return now_ms; };
    options.keep = {TierKeep{std::chrono::hours(24)}, TierKeep{minutes_kept}, TierKeep{}};
    open = open_history(options);
    declare("counter", SeriesType::counter);
    declare("gauge", SeriesType::gauge);
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

  /// The counter grows by 2 a second and is reset once, after 10,000 s; the gauge is the number of the
  /// minute.
  void seal_slot(std::int64_t slot, std::int64_t& counter) {
    Block block{{0, 1}, {}, {}};
    std::vector<std::int64_t> minutes;
    for (std::int64_t second = slot * 120; second < slot * 120 + 120; ++second) {
      counter = second == 10'000 ? 0 : counter + 2;
      block.times_ms.push_back(kDay + second * 1000);
      block.values.push_back(counter);
      minutes.push_back(second / 60);
    }
    block.values.insert(block.values.end(), minutes.begin(), minutes.end());
    REQUIRE(open->history->seal(0, {{kNode, SealedBlock::open(seal(block)).value()}}, {}));
  }

  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override {
    std::vector<promql::SelectedSeries> out;
    auto read = read_slice(head.slice(selection), open->history.get(),
                           {selection.start_ms, selection.end_ms, 1'000'000}, out);
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

TEST_CASE("Where minutes are gone, hours answer, and an instant selector looks back that far") {
  Past past(std::chrono::hours(24));
  REQUIRE(past.open->history->complete_from_ms(Tier::minute) > kDay + kDayMs);
  CHECK(past.ask("gauge", kDay + 3 * kHourMs) == 179);
  CHECK(past.ask("gauge", kDay + 3 * kHourMs + 30 * kMinuteMs) == 179);
  CHECK(past.ask("increase(counter[241m])", kDay + 6 * kHourMs) == Approx(2 * 241 * 60).epsilon(0.005));
}

}  // namespace vigil::aggregator
