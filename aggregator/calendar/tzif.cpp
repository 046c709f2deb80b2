#include "aggregator/calendar/tzif.h"

#include <cstddef>
#include <cstdint>

namespace vigil::calendar {
namespace {

constexpr std::size_t kHeaderBytes = 44;
constexpr std::size_t kTypeBytes = 6;
// RFC 9636, 3.2: an offset should lie between -24:59:59 and 25:59:59; nothing else is written by anyone.
constexpr std::int32_t kLeastOffset = -89'999;
constexpr std::int32_t kGreatestOffset = 93'599;
// A moment further away than this is none that a calendar reaches: years -9999 to 9999.
constexpr std::int64_t kFurthestMoment = 400'000'000'000;

std::uint32_t big_endian_32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::int64_t big_endian_time(std::string_view bytes) {
  if (bytes.size() == 4) return static_cast<std::int32_t>(big_endian_32(bytes));
  return static_cast<std::int64_t>(std::uint64_t{big_endian_32(bytes)} << 32 |
                                   big_endian_32(bytes.substr(4)));
}

struct Counts {
  std::uint64_t utc_flags = 0;
  std::uint64_t standard_flags = 0;
  std::uint64_t leap_seconds = 0;
  std::uint64_t times = 0;
  std::uint64_t types = 0;
  std::uint64_t characters = 0;

  std::uint64_t bytes(std::size_t time_bytes) const {
    return times * (time_bytes + 1) + types * kTypeBytes + characters + leap_seconds * (time_bytes + 4) +
           standard_flags + utc_flags;
  }
};

Counts counts_of(std::string_view header) {
  const auto at = [header](std::size_t i) { return std::uint64_t{big_endian_32(header.substr(20 + 4 * i))}; };
  return {at(0), at(1), at(2), at(3), at(4), at(5)};
}

bool is_header(std::string_view bytes) {
  return bytes.size() >= kHeaderBytes && bytes.starts_with("TZif");
}

Error corrupt(const std::string& name, std::string_view why) {
  return fail(Errc::corrupt, "time zone {}: {}", name, why);
}

/// The table of changes in one data block, whose bytes are all there.
struct Table {
  seconds first_offset{};
  std::vector<Zone::Change> changes;
};

Result<Table> read_table(std::string_view block, const Counts& counts, std::size_t time_bytes,
                         const std::string& name) {
  if (counts.types == 0) return corrupt(name, "has no offset at all");
  const std::string_view times = block.substr(0, counts.times * time_bytes);
  const std::string_view indices = block.substr(times.size(), counts.times);
  const std::string_view types = block.substr(times.size() + indices.size(), counts.types * kTypeBytes);
  std::vector<seconds> offsets;
  for (std::size_t i = 0; i < counts.types; ++i) {
    const auto offset = static_cast<std::int32_t>(big_endian_32(types.substr(i * kTypeBytes)));
    if (offset < kLeastOffset || offset > kGreatestOffset)
      return corrupt(name, "is further from UTC than a day");
    offsets.emplace_back(offset);
  }
  Table table;
  table.first_offset = offsets.front();
  std::int64_t before = 0;
  for (std::size_t i = 0; i < counts.times; ++i) {
    const std::int64_t at = big_endian_time(times.substr(i * time_bytes, time_bytes));
    const auto type = static_cast<unsigned char>(indices[i]);
    if (type >= offsets.size()) return corrupt(name, "a change names an offset that is not there");
    if (i > 0 && at <= before) return corrupt(name, "its changes are not in order");
    before = at;
    if (at > kFurthestMoment) return corrupt(name, "a change lies behind the year 9999");
    // Fat files begin with "since the beginning of time".
    if (at < -kFurthestMoment) {
      table.first_offset = offsets[type];
    } else {
      table.changes.push_back({sys_seconds(seconds(at)), offsets[type]});
    }
  }
  return table;
}

}  // namespace

Result<Zone> parse_tzif(std::string_view bytes, std::string name) {
  if (!is_header(bytes)) return corrupt(name, "is no TZif file");
  const bool has_long_times = bytes[4] >= '2';
  std::size_t time_bytes = 4;
  Counts counts = counts_of(bytes);
  if (has_long_times) {  // after a block with short times, which version 1 stops at, the same with long ones
    const std::uint64_t skipped = kHeaderBytes + counts.bytes(time_bytes);
    if (skipped > bytes.size()) return corrupt(name, "is cut off");
    bytes.remove_prefix(skipped);
    if (!is_header(bytes)) return corrupt(name, "lacks its second part");
    counts = counts_of(bytes);
    time_bytes = 8;
  }
  bytes.remove_prefix(kHeaderBytes);
  if (counts.bytes(time_bytes) > bytes.size()) return corrupt(name, "is cut off");
  // Leap seconds would shift all times; only zoneinfo's folder right/ counts them, Unix time does not.
  if (counts.leap_seconds > 0) return corrupt(name, "counts leap seconds, which Unix time does not have");
  auto table = read_table(bytes, counts, time_bytes, name);
  if (!table) return table.error();
  bytes.remove_prefix(counts.bytes(time_bytes));

  std::optional<ZoneRule> rule;
  if (has_long_times) {
    const std::size_t end = bytes.find('\n', 1);
    if (!bytes.starts_with('\n') || end == std::string_view::npos)
      return corrupt(name, "lacks its last line");
    if (const std::string_view line = bytes.substr(1, end - 1); !line.empty()) {
      auto parsed = parse_zone_rule(line);
      if (!parsed) return corrupt(name, parsed.error().message);
      rule = *parsed;
    }
  }
  return Zone(std::move(name), table->first_offset, std::move(table->changes), rule);
}

}  // namespace vigil::calendar
