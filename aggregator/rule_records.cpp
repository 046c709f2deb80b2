#include "aggregator/rule_records.h"

#include "aggregator/head/host_kind.h"
#include "common/log/log.h"
#include "common/wire/names.h"

#include <atomic>
#include <string>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kMaxNameBytes = 128;
/// A reload may end a series somewhat after the round time its next sample has.
constexpr std::int64_t kOutOfOrderMs = 60'000;

/// Part of a host's name: no bytes that a name may not have.
std::string host_name(std::string_view source) {
  std::string out(kRulesPrefix);
  for (const char c : wire::clean_text(source, kMaxNameBytes))
    out += static_cast<unsigned char>(c) > 0x20 && c != '/' && c != 0x7F ? c : '_';
  return out;
}

}  // namespace

struct RuleRecords::Account {
  explicit Account(self::Registry& registry)
      : stored(registry.counter("vigil_aggregator_recorded_samples_total",
                                "Samples that recording rules and alerts gave and that are stored.")),
        refused(registry.counter("vigil_aggregator_recorded_refused_total",
                                 "Samples that recording rules and alerts gave and that are not stored.")) {}

  void settle(const LocalWritten& written, std::size_t samples, const std::string& host) {
    stored.add(written.stored);
    const std::uint64_t lost = written.failed ? samples : written.refused();
    refused.add(lost);
    if (lost == 0) {
      if (troubled.exchange(false)) log::info("rules", "what rules record is stored again");
      return;
    }
    if (troubled.exchange(true)) return;
    log::warn("rules", "what rules record is not all stored",
              {{"group", host},
               {"samples", lost},
               {"error", written.failed ? written.failed->message : written.problem}});
  }

  self::Counter& stored;
  self::Counter& refused;
  std::atomic<bool> troubled = false;
};

LocalWrite to_write(const rules::RecordedBatch& batch) {
  LocalWrite write;
  write.host = host_name(batch.source);
  write.out_of_order_ms = kOutOfOrderMs;
  for (const rules::RecordedSample& sample : batch.samples) {
    write.series.push_back({*sample.labels, SeriesType::gauge, 1});
    write.samples.push_back({sample.t_ms, sample.value});
  }
  return write;
}

RuleRecords::RuleRecords(LocalWriter& writer, self::Registry& registry)
    : writer_(writer), account_(std::make_shared<Account>(registry)) {}

void RuleRecords::take(const rules::RecordedBatch& batch) {
  LocalWrite write = to_write(batch);
  const std::size_t samples = write.samples.size();
  const std::string host = write.host;
  writer_.write(std::move(write), [account = account_, samples, host](const LocalWritten& done) {
    account->settle(done, samples, host);
  });
}

}  // namespace vigil::aggregator
