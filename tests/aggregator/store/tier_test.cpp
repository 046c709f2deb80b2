#include "aggregator/store/tier.h"

#include "tests/support/catch.h"

namespace vigil::aggregator {

TEST_CASE("Days, months and years of UTC begin where they do") {
  constexpr std::int64_t kTime = 1'709'251'199'999;  // 2024-02-29 23:59:59.999
  CHECK(period_start_ms(Tier::raw, kTime) == 1'709'164'800'000);
  CHECK(next_period_ms(Tier::raw, kTime) == kTime + 1);
  CHECK(period_start_ms(Tier::minute, kTime) == 1'706'745'600'000);  // 2024-02-01
  CHECK(next_period_ms(Tier::minute, kTime) == kTime + 1);
  CHECK(period_start_ms(Tier::hour, kTime) == 1'704'067'200'000);  // 2024-01-01
  CHECK(next_period_ms(Tier::hour, kTime) == 1'735'689'600'000);   // 2025-01-01
  CHECK(period_start_ms(Tier::raw, -1) == -kDayMs);
}

TEST_CASE("A partition's name says what it holds") {
  constexpr std::int64_t kDay = 1'709'164'800'000;
  CHECK(partition_name(Tier::raw, kDay, 17) == "raw-20240229-17.db");
  CHECK(partition_name(Tier::minute, kDay, 18) == "minute-202402-18.db");
  CHECK(partition_name(Tier::hour, kDay, 19) == "hour-2024-19.db");
}

}  // namespace vigil::aggregator
