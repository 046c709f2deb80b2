// Processes and threads by state, their limits (as node_exporter's processes collector), and the processes
// that use most of the host: own metrics vigil_process_*. One pass over /proc every ten seconds, apart from
// the beat: a host may have 10,000 processes. Never smaps (the kernel walks every page table) and never
// cmdline (it waits for the process's memory lock, and holds secrets). What /proc/[pid]/io refuses, for the
// process is another user's, vigil-kernel-reader is asked for.
#include "agent/collectors/process_scan.h"
#include "agent/collectors/table.h"
#include "agent/collectors/top_processes.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "agent/kernel_reader/client.h"
#include "common/text/trim.h"

#include <unistd.h>

#include <array>
#include <limits>

namespace vigil::agent {
namespace {

constexpr auto kCounter = SeriesType::counter;
constexpr auto kGauge = SeriesType::gauge;
constexpr Family kStates{"node_processes_state", "Number of processes in each state.", kGauge, 0, {"state"}};
constexpr Family kThreadStates{
    "node_processes_threads_state", "Number of threads in each state.", kGauge, 0, {"thread_state"}};
constexpr Family kThreads{"node_processes_threads", "Allocated threads in system."};
constexpr Family kMaxThreads{"node_processes_max_threads", "Limit of threads in the system."};
constexpr Family kPids{"node_processes_pids", "Number of PIDs."};
constexpr Family kMaxProcesses{"node_processes_max_processes", "Number of max PIDs limit."};
/// Of one process. It stays listed for TopProcesses::kLinger after its last ranking; once out of the list it
/// hardly returns, and on a host that compiles thousands of others would follow: columns are freed at once.
constexpr Family of_process(std::string_view name, std::string_view help, SeriesType type,
                            std::uint8_t scale) {
  return {name, help, type, scale, {"pid", "comm", "container"}, Encoding::decimal, 1};
}
constexpr Family kTopCpu =
    of_process("vigil_process_cpu_seconds_total",
               "CPU time of a process that uses much of the host, in seconds.", kCounter, 2);
constexpr Family kTopMemory =
    of_process("vigil_process_resident_memory_bytes",
               "Resident memory of a process that uses much of the host.", kGauge, 0);
constexpr Family kTopRead =
    of_process("vigil_process_read_bytes_total",
               "Bytes a process that uses much of the host has read from storage.", kCounter, 0);
constexpr Family kTopWritten =
    of_process("vigil_process_written_bytes_total",
               "Bytes a process that uses much of the host has sent to storage.", kCounter, 0);

/// Counts of states, which are letters. A state that was seen once is reported as 0 afterwards, so that its
/// series does not flicker.
class StateCounts {
 public:
  void clear() { counts_.fill(0); }
  void add(char state) {
    const auto at = static_cast<std::size_t>(static_cast<unsigned char>(state) % counts_.size());
    ++counts_[at];
    ever_[at] = true;
  }
  void put(const Family& family, Sheet& sheet) const {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      const char letter = static_cast<char>(i);
      if (ever_[i]) sheet.put(family, {std::string_view(&letter, 1)}, counts_[i]);
    }
  }

 private:
  std::array<std::int64_t, 128> counts_{};
  std::array<bool, 128> ever_{};
};

class ProcessesCollector final : public Collector {
 public:
  explicit ProcessesCollector(const CollectorOptions& options)
      : tree_(options.roots.procfs),
        reader_(options.kernel_reader),
        live_(options.roots.procfs == "/proc"),
        max_threads_(options.roots.procfs + "/sys/kernel/threads-max"),
        max_processes_(options.roots.procfs + "/sys/kernel/pid_max"),
        top_(static_cast<std::size_t>(std::max(options.top_processes, 0)),
             {[this](std::int64_t pid) { return io_of(pid); },
              [this](std::int64_t pid) { return container_of(pid); }}) {}

  std::string_view name() const override { return "processes"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick& tick, Sheet& sheet) override {
    states_.clear();
    thread_states_.clear();
    several_threads_.clear();
    pids_ = threads_ = 0;
    reader_.begin();
    if (reader_missed_ && reader_.ask({kernel::Kind::clock})) {  // it may have been starting, or upgraded
      reader_missed_ = false;
      top_.ask_again();
    }
    top_.begin(tick.steady);
    if (auto scanned = tree_.each([this](const ProcessStat& stat) { count(stat); }); !scanned) return scanned;
    top_.finish();
    put_counts(sheet);
    for (const TopProcesses::Listed& process : top_.listed()) put_top(process, sheet);
    return {};
  }

 private:
  /// Above this many threads their states are left out: each is one more file to read.
  static constexpr std::int64_t kMostThreadsRead = 5000;

  void count(const ProcessStat& stat) {
    ++pids_;
    threads_ += std::clamp<std::int64_t>(stat.threads, 0, std::numeric_limits<std::int32_t>::max());
    states_.add(stat.state);
    if (stat.threads > 1) {
      several_threads_.push_back(stat.pid);
    } else {
      thread_states_.add(stat.state);
    }
    top_.saw(stat);
  }

  void put_counts(Sheet& sheet) {
    sheet.put(kThreads, threads_);
    sheet.put(kPids, pids_);
    if (const auto most = limit(max_threads_)) sheet.put(kMaxThreads, *most);
    if (const auto most = limit(max_processes_)) sheet.put(kMaxProcesses, *most);
    states_.put(kStates, sheet);
    if (threads_ > kMostThreadsRead) return;
    for (const std::int64_t pid : several_threads_)
      tree_.each_thread(pid, [this](char state) { thread_states_.add(state); });
    thread_states_.put(kThreadStates, sheet);
  }

  void put_top(const TopProcesses::Listed& process, Sheet& sheet) const {
    const fmt::format_int pid(process.pid);
    const std::initializer_list<std::string_view> labels = {
        {pid.data(), pid.size()}, process.comm, process.container};
    sheet.put(kTopCpu, labels,
              ticks_per_second_ == 100 ? process.cpu_ticks : process.cpu_ticks * 100 / ticks_per_second_);
    std::int64_t bytes = 0;
    if (!__builtin_mul_overflow(process.rss_pages, page_bytes_, &bytes)) sheet.put(kTopMemory, labels, bytes);
    if (!process.io_known) return;  // not ours to read: the process keeps its other series
    sheet.put(kTopRead, labels, process.io.read_bytes);
    sheet.put(kTopWritten, labels, process.io.written_bytes);
  }

  static std::optional<std::int64_t> limit(ProcFile& file) {
    const auto content = file.read();
    return content ? parse_integer(trim(*content)) : std::nullopt;
  }

  std::optional<ProcessIo> io_of(std::int64_t pid) {
    if (const auto text = tree_.read(pid, "io")) return parse_process_io(*text);
    if (!live_) return std::nullopt;
    const auto text = reader_.process_io(pid);  // of another user: not ours to read
    if (text) return parse_process_io(*text);
    reader_missed_ = reader_missed_ || text.error().code == Errc::unavailable;
    return std::nullopt;
  }

  std::string container_of(std::int64_t pid) {
    const auto text = tree_.read(pid, "cgroup");
    return text ? container_of_cgroup(*text) : std::string();
  }

  ProcessTree tree_;
  kernel::Client reader_;
  bool reader_missed_ = false;  // it did not answer when something was asked
  bool live_;                   // the tree is the running kernel's, of which the reader speaks
  ProcFile max_threads_;
  ProcFile max_processes_;
  TopProcesses top_;
  StateCounts states_;
  StateCounts thread_states_;
  std::vector<std::int64_t> several_threads_;
  std::int64_t pids_ = 0;
  std::int64_t threads_ = 0;
  std::int64_t ticks_per_second_ = ::sysconf(_SC_CLK_TCK);
  std::int64_t page_bytes_ = ::sysconf(_SC_PAGESIZE);
};

}  // namespace

std::unique_ptr<Collector> make_processes(const CollectorOptions& options) {
  return std::make_unique<ProcessesCollector>(options);
}

}  // namespace vigil::agent
