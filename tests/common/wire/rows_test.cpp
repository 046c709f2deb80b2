#include "common/wire/rows.h"

#include "tests/support/catch.h"

#include <random>

namespace vigil::wire {
namespace {

using Values = std::vector<std::int64_t>;

/// What goes in comes out: encodes in messages of `rows_per_message` rows, sends them as bytes, decodes.
struct Pipe {
  explicit Pipe(std::size_t width) : encoder(width), decoder(width) {}

  void send(const std::vector<std::int64_t>& times, const Values& values) {
    v1::Rows rows;
    for (std::size_t i = 0; i < times.size(); ++i) {
      encoder.append(times[i], std::span(values).subspan(i * encoder.width(), encoder.width()), rows);
    }
    v1::Rows received;
    REQUIRE(received.ParseFromString(rows.SerializeAsString()));
    const auto result = decoder.decode(received, out);
    CAPTURE(result);
    REQUIRE(result);
    CHECK(out.times_ms == times);
    CHECK(out.values == values);
  }

  RowEncoder encoder;
  RowDecoder decoder;
  DecodedRows out;
};

Values random_values(std::size_t count, std::mt19937_64& random) {
  Values values(count);
  for (auto& value : values) {
    switch (random() % 5) {
      case 0:
        value = kAbsent;
        break;
      case 1:
        value = std::numeric_limits<std::int64_t>::max();
        break;
      case 2:
        value = kAbsent + 1;
        break;
      case 3:
        value = static_cast<std::int64_t>(random());
        break;
      default:
        value = static_cast<std::int64_t>(random() % 1000);
        break;
    }
    if (random() % 1000 == 0) value = 0;
  }
  return values;
}

v1::Rows message(std::int64_t time_ms, const std::vector<std::uint32_t>& steps, const Values& deltas,
                 const std::vector<std::uint32_t>& runs) {
  v1::Rows rows;
  rows.set_first_time_ms(time_ms);
  rows.mutable_step_ms()->Add(steps.begin(), steps.end());
  rows.mutable_deltas()->Add(deltas.begin(), deltas.end());
  rows.mutable_absent_runs()->Add(runs.begin(), runs.end());
  return rows;
}

}  // namespace

TEST_CASE("rows of any values arrive as they were, over many batches and keyframes") {
  std::mt19937_64 random(7);  // NOLINT(cert-msc51-cpp): the same numbers each run
  for (int round = 0; round < 200; ++round) {
    const std::size_t width = 1 + random() % 40;
    Pipe pipe(width);
    std::int64_t time = static_cast<std::int64_t>(random() % 2'000'000'000'000);
    for (int batch = 0; batch < 10; ++batch) {
      if (random() % 4 == 0) {
        pipe.encoder.start_over();
        pipe.decoder.start_over();
      }
      std::vector<std::int64_t> times(1 + random() % 12);
      for (auto& stamp : times) stamp = time += static_cast<std::int64_t>(1 + random() % 5000);
      pipe.send(times, random_values(times.size() * width, random));
    }
  }
}

TEST_CASE("an absent cell leaves the last value as it was") {
  RowEncoder encoder(2);
  v1::Rows rows;
  encoder.append(1000, Values{100, 5}, rows);
  encoder.append(2000, Values{kAbsent, 6}, rows);
  encoder.append(3000, Values{101, kAbsent}, rows);
  encoder.append(4000, Values{kAbsent, kAbsent}, rows);
  CHECK(Values(rows.deltas().begin(), rows.deltas().end()) == Values{100, 5, 0, 1, 1, 0, 0, 0});
  CHECK(std::vector<std::uint32_t>(rows.absent_runs().begin(), rows.absent_runs().end()) ==
        std::vector<std::uint32_t>{2, 1, 2, 3});
  CHECK(rows.first_time_ms() == 1000);
  CHECK(rows.step_ms_size() == 3);
}

TEST_CASE("idle counters cost one byte a cell") {
  RowEncoder encoder(100);
  Values values(100, 123'456'789);
  v1::Rows first;
  encoder.append(1'700'000'000'000, values, first);
  v1::Rows second;
  for (auto& value : values) value += 60;
  encoder.append(1'700'000'001'000, values, second);
  CHECK(second.ByteSizeLong() <= 100 + 12);
}

TEST_CASE("a new schema version starts from zero, and a clock that was set back is followed") {
  RowDecoder decoder(1);
  DecodedRows out;
  REQUIRE(decoder.decode(message(1000, {}, {7}, {}), out));
  decoder.set_width(2);
  REQUIRE(decoder.decode(message(2000, {}, {7, 8}, {}), out));
  CHECK(out.values == Values{7, 8});
  REQUIRE(decoder.decode(message(1500, {}, {1, 1}, {}), out));
  CHECK(out.times_ms == std::vector<std::int64_t>{1500});
  CHECK(out.values == Values{8, 9});
}

TEST_CASE("contradictory rows are refused with the field's name") {
  const auto refused = [](const v1::Rows& rows, std::string_view field, Errc code = Errc::parse) {
    RowDecoder decoder(2);
    DecodedRows out;
    const auto result = decoder.decode(rows, out);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == code);
    CHECK_THAT(result.error().message, Catch::StartsWith(std::string(field)));
  };
  refused(message(1000, {}, {}, {}), "Rows.deltas");
  refused(message(1000, {}, {1}, {}), "Rows.deltas");
  refused(message(1000, {1000}, {1, 2}, {}), "Rows.deltas");
  refused(message(1000, {0}, {1, 2, 3, 4}, {}), "Rows.step_ms");
  refused(message(-1, {}, {1, 2}, {}), "Rows.first_time_ms", Errc::limit);
  refused(message(kMaxTimeMs + 1, {}, {1, 2}, {}), "Rows.first_time_ms", Errc::limit);
  refused(message(kMaxTimeMs - 5, {1000}, {1, 2, 3, 4}, {}), "Rows.step_ms", Errc::limit);
  refused(message(std::numeric_limits<std::int64_t>::max(), {~0U}, {1, 2, 3, 4}, {}), "Rows.first_time_ms",
          Errc::limit);
  refused(message(1000, {}, {1, 2}, {1}), "Rows.absent_runs");
  refused(message(1000, {}, {0, 0}, {0, 3}), "Rows.absent_runs");
  refused(message(1000, {}, {0, 0}, {~0U, ~0U}), "Rows.absent_runs");
  refused(message(1000, {}, {0, 0}, {1, 0}), "Rows.absent_runs");
  refused(message(1000, {}, {0, 3}, {1, 1}), "Rows.deltas");
  refused(message(1000, {}, {kAbsent, 3}, {}), "Rows.deltas");
  refused(message(1000, std::vector<std::uint32_t>(50'000, 1), Values(100'002, 0), {}), "Rows.deltas",
          Errc::limit);
}

TEST_CASE("a source without columns has no rows") {
  RowDecoder decoder(0);
  DecodedRows out;
  CHECK_FALSE(decoder.decode(message(1000, std::vector<std::uint32_t>(1000, 1), {}, {}), out));
}

}  // namespace vigil::wire
