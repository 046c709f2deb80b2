#include "agent/self/self_collector.h"

#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "common/version.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>

namespace vigil::agent {
namespace {

constexpr auto kCounter = SeriesType::counter;
constexpr auto kGauge = SeriesType::gauge;

constexpr Family kInfo{"vigil_agent_info", "The agent's version; always 1.", kGauge, 0, {"version"}};
constexpr Family kCpu{"vigil_agent_cpu_seconds_total", "Seconds of CPU the agent used.", kCounter, 6};
constexpr Family kMemory{"vigil_agent_resident_memory_bytes", "Memory the agent occupies, in bytes.", kGauge};
constexpr Family kMissed{"vigil_agent_beats_missed_total", "Beats skipped because they came too late.",
                         kCounter};
constexpr Family kLeftOut{"vigil_agent_beats_left_out_total", "Beats left out after the clock was set back.",
                          kCounter};
constexpr Family kLate{"vigil_agent_beat_late_seconds",
                       "How late the latest of the last beats came, in seconds.", kGauge, 6};
constexpr Family kSeries{"vigil_agent_series", "Series the agent sends.", kGauge};
constexpr Family kSeriesLeftOut{"vigil_agent_series_left_out", "Series left out because of a limit.", kGauge};
constexpr Family kCutReads{"vigil_agent_cut_reads_total",
                           "Reads of a file of the kernel that was longer than its limit.", kCounter};
constexpr Family kReloaded{"vigil_agent_reload_successful",
                           "1 unless the latest reload was refused: the file has an error then.", kGauge};
constexpr Family kRestartNeeded{"vigil_agent_restart_needed_keys",
                                "Keys of the configuration that were changed and need a restart.", kGauge};
constexpr Family kCertificateEnd{"vigil_agent_certificate_expiry_timestamp_seconds",
                                 "When a certificate of the configuration expires, Unix seconds.",
                                 kGauge,
                                 0,
                                 {"key"}};
constexpr Family kConnected{"vigil_agent_connected", "Whether the aggregator has welcomed this agent.",
                            kGauge};
constexpr Family kConnects{"vigil_agent_connects_total", "Streams the aggregator welcomed.", kCounter};
constexpr Family kFailures{"vigil_agent_connection_failures_total", "Streams that failed or ended.",
                           kCounter};
constexpr Family kSentBytes{"vigil_agent_sent_bytes_total", "Bytes of messages sent, before framing.",
                            kCounter};
constexpr Family kBuffered{"vigil_agent_buffer_bytes", "Bytes of samples kept for the aggregator.", kGauge};
constexpr Family kSpooled{"vigil_agent_spool_bytes", "Bytes of samples kept for the aggregator on disk.",
                          kGauge};
constexpr Family kSpoolLimit{"vigil_agent_spool_limit_bytes",
                             "What the spool may take on disk, in bytes; 0 without one.", kGauge};
constexpr Family kDropped{"vigil_agent_batches_dropped_total",
                          "Batches dropped before the aggregator had them.", kCounter};
constexpr Family kOffset{"vigil_agent_clock_offset_seconds",
                         "The aggregator's clock minus this host's, when it last connected, in seconds.",
                         kGauge, 3};

std::int64_t cpu_microseconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto microseconds = [](const timeval& time) {
    return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
  };
  return microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

/// proc_pid_statm(5): the second field is resident pages.
Result<std::int64_t> resident_bytes() {
  const auto text = read_small_file("/proc/self/statm", 256);
  if (!text) return text.error();
  Fields fields(*text);
  fields.skip(1);
  const auto pages = fields.number();
  if (!pages) return fail(Errc::parse, "/proc/self/statm: expected numbers");
  return *pages * ::sysconf(_SC_PAGESIZE);
}

std::int64_t from_unsigned(std::uint64_t count) {
  return static_cast<std::int64_t>(count);
}

}  // namespace

Result<void> SelfCollector::collect(const Tick& tick, Sheet& sheet) {
  const BeatFigures beat = beat_();
  const DeliveryFigures delivery = delivery_();
  sheet.put(kInfo, {kVersion}, 1);
  sheet.put(kCpu, cpu_microseconds());
  sheet.put(kMissed, from_unsigned(beat.missed));
  sheet.put(kLeftOut, from_unsigned(beat.left_out));
  sheet.put(kLate, std::chrono::duration_cast<std::chrono::microseconds>(beat.latest).count());
  sheet.put(kSeries, from_unsigned(beat.series));
  sheet.put(kSeriesLeftOut, from_unsigned(beat.series_left_out));
  sheet.put(kCutReads, from_unsigned(cut_reads()));
  sheet.put(kReloaded, beat.reload_failed ? 0 : 1);
  sheet.put(kRestartNeeded, from_unsigned(beat.restart_needed));
  sheet.put(kConnected, delivery.connected ? 1 : 0);
  sheet.put(kConnects, from_unsigned(delivery.connects));
  sheet.put(kFailures, from_unsigned(delivery.failures));
  sheet.put(kSentBytes, from_unsigned(delivery.sent_bytes));
  sheet.put(kBuffered, from_unsigned(delivery.buffered_bytes));
  sheet.put(kSpooled, from_unsigned(delivery.spooled_bytes));
  sheet.put(kSpoolLimit, from_unsigned(delivery.spool_cap_bytes));
  sheet.put(kDropped, from_unsigned(delivery.dropped_batches));
  sheet.put(kOffset, delivery.clock_offset_ms);
  for (const CertificateEnd& end : certificates_.ends(tick.steady))
    sheet.put(kCertificateEnd, {end.key}, end.not_after_seconds);
  const auto memory = resident_bytes();
  if (!memory) return memory.error();
  sheet.put(kMemory, *memory);
  return {};
}

}  // namespace vigil::agent
