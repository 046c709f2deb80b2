// ZFS from /proc/spl/kstat/zfs (OpenZFS on Linux): its cache (arcstats: a line of numbers, "name type data",
// then a value per line) and the state of each pool (POOL/state, one word). The cache is memory that
// MemAvailable does not count as available although it gives way. Traps: of about a hundred values only those
// that tell size and success are taken; reading the state of a pool may wait for its lock, hence the lane
// apart.
#include "agent/collectors/field_families.h"
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"
#include "common/text/letter_case.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace vigil::agent {
namespace {

constexpr std::array<std::string_view, 22> kWanted = {"c",
                                                      "c_max",
                                                      "c_min",
                                                      "data_size",
                                                      "demand_data_hits",
                                                      "demand_data_misses",
                                                      "demand_metadata_hits",
                                                      "demand_metadata_misses",
                                                      "evict_skip",
                                                      "hdr_size",
                                                      "hits",
                                                      "l2_asize",
                                                      "l2_hits",
                                                      "l2_io_error",
                                                      "l2_misses",
                                                      "l2_size",
                                                      "memory_throttle_count",
                                                      "metadata_size",
                                                      "mfu_size",
                                                      "misses",
                                                      "mru_size",
                                                      "size"};
constexpr std::array<std::string_view, 7> kStates = {"online",  "degraded", "faulted",  "offline",
                                                     "removed", "unavail",  "suspended"};
constexpr Family kPoolState{"node_zfs_zpool_state",
                            "1 for the state the pool is in, 0 for the others.",
                            SeriesType::gauge,
                            0,
                            {"zpool", "state"}};

const Family* declare(std::string_view, std::string_view field) {
  if (!std::binary_search(kWanted.begin(), kWanted.end(), field)) return nullptr;
  return learn_family(fmt::format("node_zfs_arc_{}", field), fmt::format("{} of ZFS's arcstats.", field),
                      SeriesType::unknown);
}

class ZfsCollector final : public Collector {
 public:
  explicit ZfsCollector(const CollectorOptions& options)
      : folder_(options.roots.procfs + "/spl/kstat/zfs"), arc_(folder_ + "/arcstats", kMaxBytes) {}

  std::string_view name() const override { return "zfs"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto entries = list_directory(folder_);
    if (!entries && entries.error().code == Errc::not_found)
      return fail(Errc::unsupported, "{}: not there", folder_);
    if (!entries) return entries.error();
    for (const std::string& entry : *entries) put_pool(entry, sheet);
    const auto content = arc_.read();
    if (!content) return content.error();
    put_arc(*content, sheet);
    return arc_.whole();
  }

 private:
  static constexpr std::size_t kMaxBytes = 64UL * 1024;  // about 10 KB in fact

  void put_pool(const std::string& pool, Sheet& sheet) const {
    auto state = read_small_file(fmt::format("{}/{}/state", folder_, pool), 64);
    if (!state) return;  // a file beside the pools, or a pool from before 0.8, or one that was just exported
    *state = lower_case(*state);
    if (std::find(kStates.begin(), kStates.end(), *state) == kStates.end()) return;
    const std::string label = printable(pool);
    for (const std::string_view one : kStates) sheet.put(kPoolState, {label, one}, one == *state ? 1 : 0);
  }

  void put_arc(std::string_view content, Sheet& sheet) {
    families_.rewind();
    for (Lines lines(whole_lines(content)); lines.next();) {
      Fields fields(lines.line());
      const Family* family = families_.next("", fields.next());
      fields.skip(1);  // the type
      const auto value = fields.number();
      if (family != nullptr && value) sheet.put(*family, *value);
    }
  }

  const std::string folder_;
  OptionalFile arc_;
  FieldFamilies families_{declare};
};

}  // namespace

std::unique_ptr<Collector> make_zfs(const CollectorOptions& options) {
  return std::make_unique<ZfsCollector>(options);
}

}  // namespace vigil::agent
