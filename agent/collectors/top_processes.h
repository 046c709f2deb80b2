// Which processes deserve series of their own: the top N by CPU time since the last pass, by resident memory,
// and by bytes of storage read and written since the last pass. Pure: fed with what a pass over /proc saw, it
// knows no files and no clock.
#pragma once

#include "agent/collectors/process_scan.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace vigil::agent {

/// Used by one thread. A pass is begin(), saw() for each process, then finish().
class TopProcesses {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  /// A process stays listed this long after it was last in a ranking, so that its series do not flicker.
  static constexpr std::chrono::minutes kLinger{5};
  /// After twice as many as may be listed at once, one new process is listed in this time: a host with 64
  /// cores that compile would otherwise make 40,000 series an hour. Those that come back in a ranking later
  /// get their turn.
  static constexpr std::chrono::seconds kNewProcessEvery{20};
  /// So many of them are kept for processes seen twice, or half of all where that is less: those seen for the
  /// first time, which may have ended already, cannot use them up.
  static constexpr double kBurst = 10;

  /// A process with series of its own. Its labels are fixed for `kLinger` at a time, so that a process that
  /// renames itself all the time does not make series without end.
  struct Listed {
    std::int64_t pid = 0;
    std::int64_t start_ticks = 0;
    std::string comm;       // valid UTF-8
    std::string container;  // short id, "" for none
    TimePoint labelled_at;
    TimePoint in_ranking_at;
    std::int64_t cpu_ticks = 0;
    std::int64_t rss_pages = 0;
    bool io_known = false;
    ProcessIo io;
  };
  struct Sources {
    std::function<std::optional<ProcessIo>(std::int64_t pid)> io;
    std::function<std::string(std::int64_t pid)> container;
  };

  /// `per_ranking` is N; at most 3 N are listed. 0 lists nothing.
  TopProcesses(std::size_t per_ranking, Sources sources);

  void begin(TimePoint now);
  void saw(const ProcessStat& stat);
  void finish();
  /// Between two passes: what could not be read is asked for once more, for who refused it may answer now.
  void ask_again();

  /// Sorted by pid.
  const std::vector<Listed>& listed() const { return listed_; }
  /// Processes whose I/O we may not read (PTRACE_MODE_READ is needed), in the last pass.
  std::size_t io_denied() const { return io_denied_; }

 private:
  struct Seen {
    std::int64_t start_ticks = 0;
    std::int64_t cpu_ticks = 0;
    std::int64_t cpu_delta = 0;
    std::int64_t rss_pages = 0;
    std::int64_t io_delta = 0;
    ProcessIo io;
    enum class Io : std::uint8_t { unread, known, denied } io_state = Io::unread;
    std::uint32_t pass = 0;  // in which it was seen last
    std::uint32_t first_pass = 0;
    std::string comm;
  };
  using Entry = std::unordered_map<std::int64_t, Seen>::value_type;

  void read_io(std::int64_t pid, Seen& seen) const;
  void rank(std::int64_t Seen::*by, std::vector<const Entry*>& entries, std::vector<const Entry*>& top) const;
  void list(const Entry& entry);
  bool burns(const Seen& seen) const;
  bool may_list_new(const Seen& seen);
  void refresh_listed();
  void drop_surplus();

  std::size_t per_ranking_;
  Sources sources_;
  TimePoint now_;
  std::chrono::duration<double> elapsed_{0};  // since the last pass
  std::uint32_t pass_ = 0;
  std::size_t io_denied_ = 0;
  std::chrono::duration<double> allowance_;  // for new processes: kNewProcessEvery for each
  std::unordered_map<std::int64_t, Seen> seen_;
  std::vector<Listed> listed_;
};

}  // namespace vigil::agent
