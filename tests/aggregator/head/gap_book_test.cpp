#include "aggregator/head/gap_book.h"

#include "tests/support/catch.h"

using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kT0 = 1'700'000'000'000;
constexpr std::int64_t kYearMs = 365LL * 86'400'000;

GapRecord gap(std::int64_t first_ms) {
  return {0, first_ms, first_ms + 10, "buffer_full"};
}

}  // namespace

TEST_CASE("an allowance is full at first, fills up at its rate, and what is owed is earned first") {
  constexpr AllowanceRate kRate{2, 10};
  Allowance allowance;
  for (int i = 0; i < 10; ++i) CHECK(allowance.take(kRate, kT0));
  CHECK_FALSE(allowance.take(kRate, kT0));
  CHECK(allowance.take(kRate, kT0 + 500));
  CHECK_FALSE(allowance.take(kRate, kT0 + 500));
  allowance.spend(5);
  CHECK_FALSE(allowance.take(kRate, kT0 + 2500));
  CHECK(allowance.left(kRate, kT0 + 3500) == 1);
  CHECK(allowance.left(kRate, kT0 + kYearMs) == 10);
}

TEST_CASE("a clock that was a year ahead and is set back mutes nothing for a year") {
  constexpr AllowanceRate kRate{1, 1};
  Allowance allowance;
  CHECK(allowance.take(kRate, kT0));
  CHECK(allowance.take(kRate, kT0 + kYearMs));
  CHECK_FALSE(allowance.take(kRate, kT0 + 1000));
  CHECK(allowance.take(kRate, kT0 + 2000));
}

TEST_CASE("past an hour's share gaps wait as one, and go as soon as another may be stored") {
  GapBook book;
  int stored = 0;
  for (int i = 0; i < 300; ++i) stored += book.put(gap(kT0 + i), kT0) ? 1 : 0;
  CHECK(stored == 200);
  CHECK_FALSE(book.flush(kT0 + 17'000));
  CHECK(book.flush(kT0 + 18'001) == GapRecord{0, kT0 + 200, kT0 + 309, "buffer_full"});
  CHECK_FALSE(book.flush(kT0 + kYearMs));
}

TEST_CASE("what waits when an agent goes is stored, but not each time it goes") {
  GapBook book;
  const auto fill = [&book] {
    for (int i = 0; i < 300; ++i) (void)book.put(gap(kT0 + i), kT0);
  };
  CHECK_FALSE(book.leave(kT0));
  fill();
  CHECK(book.leave(kT0));
  CHECK_FALSE(book.leave(kT0));
  fill();
  CHECK_FALSE(book.leave(kT0));
  CHECK(book.put(gap(kT0), kT0 + 60'000)->last_ms == kT0 + 309);
}

TEST_CASE("gaps without a time are told within the same share") {
  GapBook book;
  int told = 0;
  for (int i = 0; i < 300; ++i) told += book.may_tell(kT0) ? 1 : 0;
  CHECK(told == 200);
  CHECK_FALSE(book.put(gap(kT0), kT0));
}
