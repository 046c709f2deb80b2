// What the history will take, by figures one can check by hand.
#include "cli/commands/forecast.h"

#include "cli/commands/db_cells.h"
#include "tests/support/catch.h"

namespace vigil::cli {
namespace {

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kNow = 20'000 * kDay;
constexpr double kGiB = 1024.0 * 1024 * 1024;

void add_tier(v1::StoreStatus& status, const char* name, std::uint64_t bytes, std::uint64_t samples,
              std::int64_t days, std::int64_t keep_days) {
  v1::StoreTier& tier = *status.add_tiers();
  tier.set_name(name);
  tier.set_disk_bytes(bytes);
  tier.set_samples(samples);
  tier.set_oldest_ms(days == 0 ? 0 : kNow - days * kDay);
  tier.set_newest_ms(days == 0 ? 0 : kNow);
  tier.set_keep_ms(keep_days * kDay);
}

/// Ten hosts of 100 series each, a sample a second, ten days old.
v1::StoreStatus ten_days() {
  v1::StoreStatus status;
  status.set_now_ms(kNow);
  status.set_hosts(10);
  status.set_series(1000);
  status.set_samples_per_second(1000);
  status.set_agent_samples_per_second(1000);
  status.set_free_bytes(static_cast<std::uint64_t>(100 * kGiB));
  add_tier(status, "raw", 432'000'000, 864'000'000, 10, 30);    // half a byte each
  add_tier(status, "minute", 28'800'000, 70'000'000, 10, 400);  // 2 bytes a row of a series
  add_tier(status, "hour", 960'000, 1'200'000, 10, 3650);       // 4 bytes
  return status;
}

}  // namespace

TEST_CASE("A forecast follows from what was measured") {
  const v1::StoreStatus status = ten_days();
  const Forecast ahead = forecast(status, load_of(status), retention_of(status));
  for (const TierForecast& tier : ahead.tiers) CHECK(tier.measured);
  CHECK(ahead.tiers[0].bytes_per_day == Approx(43'200'000));
  CHECK(ahead.tiers[1].bytes_per_day == Approx(2'880'000));
  CHECK(ahead.tiers[2].bytes_per_day == Approx(96'000));
  CHECK(ahead.tiers[0].full_bytes.value() ==
        Approx(43'200'000.0 * 31));  // and a day, for files go as a whole
  CHECK(ahead.tiers[1].full_bytes.value() == Approx(2'880'000.0 * 431));
  CHECK(ahead.tiers[2].full_bytes.value() == Approx(96'000.0 * 4016));
  CHECK_FALSE(ahead.days_left.has_value());
}

TEST_CASE("The days until the disk is full count what retention takes back") {
  v1::StoreStatus status = ten_days();
  status.set_free_bytes(46'176'000 * 5);  // five days of all three
  const Forecast soon = forecast(status, load_of(status), retention_of(status));
  CHECK(soon.days_left.value() == Approx(5).margin(0.1));
  // Raw stops to grow after 21 days more, the others go on.
  status.set_free_bytes(43'200'000ULL * 21 + 2'976'000ULL * 100);
  const Forecast later = forecast(status, load_of(status), retention_of(status));
  CHECK(later.days_left.value() == Approx(100).margin(0.1));
}

TEST_CASE("What is kept for ever grows until the disk is full, unless a size limits it") {
  const v1::StoreStatus status = ten_days();
  Retention retention = retention_of(status);
  retention.keep_ms[0] = 0;
  const Forecast ever = forecast(status, load_of(status), retention);
  CHECK_FALSE(ever.tiers[0].full_bytes.has_value());
  CHECK_FALSE(ever.full_bytes.has_value());
  CHECK(ever.days_left.has_value());
  retention.max_bytes[0] = 1'000'000'000;
  const Forecast limited = forecast(status, load_of(status), retention);
  CHECK(limited.tiers[0].full_bytes.value() == Approx(1e9));
  CHECK_FALSE(limited.days_left.has_value());
}

TEST_CASE("Ten times the hosts take ten times the room, half the samples half of the raw tier") {
  const v1::StoreStatus status = ten_days();
  Load load = load_of(status);
  load.hosts = 100;
  load.samples_per_second = 5000;
  const Forecast ahead = forecast(status, load, retention_of(status));
  CHECK(ahead.tiers[0].bytes_per_day == Approx(43'200'000.0 * 5));
  CHECK(ahead.tiers[1].bytes_per_day == Approx(28'800'000));
}

TEST_CASE("What rules and other senders store takes room, but is no host's") {
  v1::StoreStatus status = ten_days();
  status.set_other_series(500);
  status.set_samples_per_second(1100);
  const Load load = load_of(status);
  CHECK(load.series_per_host == 100);
  CHECK(load.samples_per_second == 1000);
  CHECK(load.all_series() == 1500);
  const Forecast ahead = forecast(status, load, retention_of(status));
  CHECK(ahead.tiers[0].bytes_per_day == Approx(1100 * 86'400 * 0.5));
  CHECK(ahead.tiers[1].bytes_per_day == Approx(2'880'000));  // as before: it was measured with all of them
}

TEST_CASE("A tier has no bytes per sample before it has a million samples, and a full disk no 0 hours") {
  v1::StoreStatus status = ten_days();
  status.mutable_tiers(0)->set_samples(8);
  status.set_free_bytes(0);
  const Forecast ahead = forecast(status, load_of(status), retention_of(status));
  const std::string table = render(store_listing(status, ahead), Format::json, Colours::never);
  CHECK_THAT(table, Catch::Contains("\"samples\":8,\"bytes_per_sample\":null") ||
                        Catch::Contains("\"samples\": 8,\n  \"bytes_per_sample\": null"));
  CHECK(days_text(*ahead.days_left) == "less than an hour");
  CHECK(days_text(1.0 / 24) == "1 hour");
  CHECK(days_text(1) == "24 hours");
  CHECK(days_text(3) == "3 days");
}

TEST_CASE("A disk without a free byte is full, not full soon") {
  v1::StoreStatus status = ten_days();
  status.set_disk_size_bytes(static_cast<std::uint64_t>(200 * kGiB));
  const auto said = [&] {
    return room_cell(status, forecast(status, load_of(status), retention_of(status)));
  };
  CHECK_THAT(said().text, Catch::StartsWith("What is to be kept fits: at most "));
  status.set_free_bytes(46'176'000 * 5);
  CHECK_THAT(said().text, Catch::StartsWith("At this rate the disk is full in 5 days"));
  status.set_free_bytes(0);
  CHECK_THAT(said().text, Catch::StartsWith("The disk is full: make room"));
  CHECK(said().style == Style::bad);
}

TEST_CASE("What alerts take is a row of its own, and counts among all files") {
  v1::StoreStatus status = ten_days();
  status.set_alerts_bytes(4096);
  const Listing listing = store_listing(status, forecast(status, load_of(status), retention_of(status)));
  const std::string csv = render(listing, Format::csv, Colours::never);
  CHECK_THAT(csv, Catch::Contains("\nalerts,1,4096,") && Catch::Contains("\nall,2,"));
}

TEST_CASE("With too little data a forecast is assumed, and says so") {
  v1::StoreStatus status;
  status.set_hosts(1);
  status.set_series(100);
  status.set_samples_per_second(100);
  status.set_agent_samples_per_second(100);
  add_tier(status, "raw", 100'000, 999'999, 1, 30);
  add_tier(status, "minute", 0, 0, 0, 400);
  add_tier(status, "hour", 0, 0, 0, 3650);
  const Forecast ahead = forecast(status, load_of(status), retention_of(status));
  for (const TierForecast& tier : ahead.tiers) CHECK_FALSE(tier.measured);
  CHECK(ahead.tiers[0].bytes_per_day == Approx(100 * 86'400 * kAssumedRawBytes));
  CHECK(ahead.tiers[1].bytes_per_day == Approx(100 * 1440 * kAssumedMinuteBytes));
}

}  // namespace vigil::cli
