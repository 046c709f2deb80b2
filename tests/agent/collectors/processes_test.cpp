#include "agent/collectors/process_scan.h"
#include "agent/collectors/top_processes.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

#include <map>
#include <set>

namespace vigil::agent {
namespace {

using namespace vigil::test;
using std::chrono::seconds;

struct Process {
  int pid = 1;
  std::string comm = "work";
  char state = 'S';
  int utime = 0;
  int stime = 0;
  int threads = 1;
  int start = 100;
  int rss_pages = 10;
};

std::string stat_line(const Process& p) {
  return fmt::format(
      "{} ({}) {} 1 1 1 0 -1 4194560 1 2 3 4 {} {} 5 6 20 0 {} 0 {} 1000000 {} 18446744073709551615 1 1\n",
      p.pid, p.comm, p.state, p.utime, p.stime, p.threads, p.start, p.rss_pages);
}

constexpr std::string_view kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Feeds TopProcesses with a scripted host.
class Host {
 public:
  explicit Host(std::size_t per_ranking)
      : top_(per_ranking,
             {[this](std::int64_t pid) { return io(pid); }, [](std::int64_t) { return std::string(); }}) {}
  Process& operator[](int pid) {
    Process& process = processes_[pid];
    process.pid = pid;
    return process;
  }
  void end(int pid) { processes_.erase(pid); }
  void wrote(int pid, std::int64_t bytes) { io_[pid].written_bytes += bytes; }
  int io_reads() const { return io_reads_; }
  void ask_again() { top_.ask_again(); }
  void pass(int at_seconds) {
    top_.begin(TopProcesses::TimePoint(seconds(at_seconds)));
    for (const auto& [pid, process] : processes_) {
      const std::string line = stat_line(process);
      const auto stat = parse_process_stat(line);
      REQUIRE(stat);
      top_.saw(*stat);
    }
    top_.finish();
  }
  std::vector<int> listed() const {
    std::vector<int> pids;
    for (const auto& process : top_.listed()) pids.push_back(static_cast<int>(process.pid));
    return pids;
  }
  const TopProcesses& top() const { return top_; }

 private:
  std::optional<ProcessIo> io(std::int64_t pid) {
    ++io_reads_;
    const auto found = io_.find(static_cast<int>(pid));
    return found == io_.end() ? std::nullopt : std::optional(found->second);
  }

  std::map<int, Process> processes_;
  std::map<int, ProcessIo> io_;
  int io_reads_ = 0;
  TopProcesses top_;
};

}  // namespace

TEST_CASE("a process name may hold spaces, parentheses and any bytes") {
  const auto stat = parse_process_stat(
      "1020 ((a b ) ( c d) ) R 28378 1020 28378 34842 1020 4218880 286 0 0 0 7 5 0 0 20 0 3 0 "
      "10839175 10395648 155 18446744073709551615");
  REQUIRE(stat);
  CHECK(stat->pid == 1020);
  CHECK(stat->comm == "(a b ) ( c d) ");
  CHECK(stat->state == 'R');
  CHECK(stat->cpu_ticks == 12);
  CHECK(stat->threads == 3);
  CHECK(stat->start_ticks == 10839175);
  CHECK(stat->rss_pages == 155);
}

TEST_CASE("a stat line cut anywhere is a process or none") {
  const std::string line = stat_line({7, "a) b", 'D', 3, 4, 2, 55, 66});
  for (std::size_t length = 0; length <= line.size(); ++length) {
    const auto stat = parse_process_stat(std::string_view(line).substr(0, length));
    if (stat) CHECK(stat->cpu_ticks == 7);
  }
  CHECK_FALSE(parse_process_stat("1 (x) RR 1"));
  CHECK_FALSE(parse_process_stat(")1( R"));
  CHECK_FALSE(parse_process_stat(
      "1 (x) S 1 1 1 0 -1 0 1 2 3 4 9223372036854775807 9223372036854775807 5 6 20 0 1 0 1 1 1"));
}

TEST_CASE("the container of a process is found in every form of its cgroup file") {
  const auto id =
      GENERATE(as<std::string>{}, "12:pids:/docker/{}\n0::/system.slice/containerd.service\n",
               "0::/system.slice/docker-{}.scope\n", "0::/machine.slice/libpod-{}.scope/container\n",
               "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podabc.slice/"
               "cri-containerd-{}.scope\n",
               "5:cpu:/kubepods/burstable/pod1b2c/{}\n");
  INFO(id);
  CHECK(container_of_cgroup(fmt::format(fmt::runtime(id), kId)) == "0123456789ab");
}

TEST_CASE("a process outside containers has no container") {
  CHECK(container_of_cgroup("0::/user.slice/user-1000.slice/session-2.scope\n").empty());
  CHECK(container_of_cgroup(fmt::format("0::/machine.slice/libpod-conmon-{}.scope\n", kId)).empty());
  CHECK(container_of_cgroup(fmt::format("0::/x/{}0\n", kId)).empty());
  CHECK(container_of_cgroup("").empty());
}

TEST_CASE("process I/O is what went to storage") {
  const auto io = parse_process_io(
      "rchar: 750339\nwchar: 818609\nsyscr: 1\nsyscw: 2\nread_bytes: 1024\nwrite_bytes: 2048\n");
  REQUIRE(io);
  CHECK(io->read_bytes == 1024);
  CHECK(io->written_bytes == 2048);
  CHECK_FALSE(parse_process_io("read_bytes: 1024\nwrite_b"));
}

TEST_CASE("the first of each ranking is listed: CPU since the last pass, memory, storage") {
  Host host(1);
  host[1].rss_pages = 5000;
  host[2].utime = 90000;  // much in the past, nothing now
  host[3].utime = 10;
  host[4].utime = 1;
  for (int pid = 1; pid <= 5; ++pid) host.wrote(pid, 0);
  host.pass(0);
  CHECK(host.listed() == std::vector{1, 2});  // the first pass ranks by totals
  host[3].utime += 50;
  host[4].utime += 1;
  host.wrote(4, 1'000'000);
  host.pass(10);
  CHECK(host.listed() == std::vector{1, 3, 4});  // at most three, so the lingering 2 made room
}

TEST_CASE("processes that live shorter than a pass make no series") {
  Host host(2);
  host[1].rss_pages = 7;
  host.pass(0);
  for (int at = 10; at < 100; at += 10) {
    host[at].utime = 400;
    host.end(at - 10);
    host.pass(at);
    CHECK(host.listed() == std::vector{1});
  }
  host.pass(100);  // this one lived on
  CHECK(host.listed() == std::vector{1, 90});
}

TEST_CASE("a process that burns a CPU is listed at the first look at it, and the busiest first") {
  Host host(2);
  host[1].rss_pages = 7;
  host.pass(0);
  host[20].utime = 600;
  host[21].utime = 900;
  host[22].utime = 700;
  host[23].utime = 300;
  for (int pid = 20; pid < 24; ++pid) host[pid].rss_pages = 0;
  host.pass(10);
  CHECK(host.listed() == std::vector{1, 21, 22});
}

TEST_CASE("processes that burn a CPU for a moment leave room for one that does so for long") {
  Host host(4);
  host.pass(0);
  int pid = 1000;
  for (int at = 10; at < 3000; at += 10) {  // a compiler's: another dozen in each pass
    for (int i = 0; i < 12; ++i) {
      host.end(pid - 12);
      host[pid++].utime = 950;
    }
    host.pass(at);
  }
  host[7].utime = 900;
  host.pass(3000);
  host[7].utime += 900;
  host.pass(3010);
  CHECK_THAT(host.listed(), Catch::VectorContains(7));
}

TEST_CASE("a process stays listed for five minutes after its last ranking") {
  Host host(1);
  host[1].utime = 100;
  host[1].rss_pages = 0;
  host[2].rss_pages = 0;
  host.pass(0);
  CHECK(host.listed() == std::vector{1});
  for (int at = 10; at < 300; at += 10) {
    host[2].utime += 5;
    host.pass(at);
    CHECK(host.listed() == std::vector{1, 2});
  }
  host[2].utime += 5;
  host.pass(300);
  CHECK(host.listed() == std::vector{2});
}

TEST_CASE("a process that ends is gone at once, and one with its number is another") {
  Host host(2);
  host[1].utime = 100;
  host[2].utime = 50;
  host.pass(0);
  host.end(1);
  host.pass(10);
  CHECK(host.listed() == std::vector{2});
  host[2].start = 777;
  host[2].comm = "other";
  host[2].utime = 3;
  host.pass(20);
  CHECK(host.listed().empty());
  host.pass(30);
  REQUIRE(host.listed() == std::vector{2});
  CHECK(host.top().listed()[0].comm == "other");
  CHECK(host.top().listed()[0].cpu_ticks == 3);
}

TEST_CASE("never more than three times N processes are listed, however they take turns") {
  Host host(2);
  for (int pid = 1; pid <= 40; ++pid) host[pid].rss_pages = pid;
  for (int pass = 0; pass < 60; ++pass) {
    host[1 + pass % 40].utime += 10;
    host[1 + (pass * 7) % 40].stime += 20;
    host.pass(pass * 10);
    CHECK(host.listed().size() <= 6);
  }
}

TEST_CASE("a host that compiles all day lists a new process in 20 s, and the busiest of them first") {
  constexpr int kPasses = 8640;
  Host host(4);
  std::set<std::int64_t> listed;
  for (int pass = 0; pass < kPasses; ++pass) {
    for (int i = 0; i < 12; ++i) {  // each lives for two passes
      host[1000 + pass * 12 + i].utime = 10 + i;
      if (pass > 1) host.end(1000 + (pass - 2) * 12 + i);
    }
    for (int i = 0; i < 12; ++i)
      if (pass > 0) host[1000 + (pass - 1) * 12 + i].utime += 10 + i;
    host.pass(pass * 10);
    for (const auto& process : host.top().listed()) listed.insert(process.pid);
  }
  CHECK(listed.size() >= kPasses / 2);
  CHECK(listed.size() <= kPasses / 2 + 6 * 4);
  CHECK((*listed.rbegin() - 1000) % 12 == 11);
}

TEST_CASE("a process that renames itself does not make series without end") {
  Host host(1);
  std::set<std::string> names;
  for (int at = 0; at < 600; at += 10) {
    host[1].utime += 1;
    host[1].comm = fmt::format("step {}", at);
    host.pass(at);
    names.insert(host.top().listed()[0].comm);
  }
  CHECK(names.size() == 2);
}

TEST_CASE("I/O that may not be read is asked for once, and costs only its own series") {
  Host host(3);
  host[1].utime = 1;
  host[2].utime = 1;
  host.wrote(2, 100);
  for (int at = 0; at < 50; at += 10) {
    host[1].utime += 1;
    host[2].utime += 1;
    host.pass(at);
  }
  CHECK(host.io_reads() == 1 + 5);
  CHECK(host.top().io_denied() == 1);
  REQUIRE(host.listed() == std::vector{1, 2});
  CHECK_FALSE(host.top().listed()[0].io_known);
  CHECK(host.top().listed()[1].io_known);
}

TEST_CASE("I/O that nobody could read for a while is known once somebody can") {
  Host host(3);
  host[1].utime = 1;
  host.pass(0);
  REQUIRE(host.top().io_denied() == 1);
  host.wrote(1, 100);
  host.pass(10);
  CHECK_FALSE(host.top().listed()[0].io_known);
  host.ask_again();
  host.pass(20);
  CHECK(host.top().io_denied() == 0);
  REQUIRE(host.listed() == std::vector{1});
  CHECK(host.top().listed()[0].io_known);
  CHECK(host.top().listed()[0].io.written_bytes == 100);
}

TEST_CASE("processes, threads and limits read like node_exporter's") {
  TempDir host;
  host.write("proc/1/stat", stat_line({1, "systemd", 'S', 500, 200, 1, 2, 3000}));
  host.write("proc/1/io", "read_bytes: 4096\nwrite_bytes: 8192\n");
  host.write("proc/1/cgroup", "0::/init.scope\n");
  host.write("proc/2/stat", stat_line({2, "kthreadd", 'I', 0, 0, 1, 2, 0}));
  host.write("proc/30/stat", stat_line({30, "java \xFF(x)", 'S', 10, 10, 3, 500, 100}));
  host.write("proc/30/cgroup", fmt::format("0::/system.slice/docker-{}.scope\n", kId));
  for (const int thread : {30, 31, 32}) {
    host.write(fmt::format("proc/30/task/{}/stat", thread),
               stat_line({thread, "x", thread == 31 ? 'R' : 'S', 1, 1, 3, 500, 100}));
  }
  host.write("proc/41/stat", "41 (cut");
  host.write("proc/sys/kernel/threads-max", "192686\n");
  host.write("proc/sys/kernel/pid_max", "32768\n");
  const std::string text = collect_text("processes", rooted(host.path()));
  CHECK(text ==
        "node_processes_max_processes 32768\n"
        "node_processes_max_threads 192686\n"
        "node_processes_pids 3\n"
        "node_processes_state{state=\"I\"} 1\n"
        "node_processes_state{state=\"S\"} 2\n"
        "node_processes_threads 5\n"
        "node_processes_threads_state{thread_state=\"I\"} 1\n"
        "node_processes_threads_state{thread_state=\"R\"} 1\n"
        "node_processes_threads_state{thread_state=\"S\"} 3\n"
        "vigil_process_cpu_seconds_total{comm=\"java ?(x)\", container=\"0123456789ab\", pid=\"30\"} 0.2\n"
        "vigil_process_cpu_seconds_total{comm=\"systemd\", pid=\"1\"} 7\n"
        "vigil_process_read_bytes_total{comm=\"systemd\", pid=\"1\"} 4096\n"
        "vigil_process_resident_memory_bytes{comm=\"java ?(x)\", container=\"0123456789ab\", pid=\"30\"} "
        "409600\n"
        "vigil_process_resident_memory_bytes{comm=\"systemd\", pid=\"1\"} 12288000\n"
        "vigil_process_written_bytes_total{comm=\"systemd\", pid=\"1\"} 8192\n");
}

TEST_CASE("the mixed host's processes read well") {
  check_golden("mixed", "processes");
}

TEST_CASE("files of a process cut anywhere give a result") {
  check_every_prefix("mixed", "processes", "proc/26231/stat", Cut::may_cut_labels);
  check_every_prefix("mixed", "processes", "proc/584/stat", Cut::may_cut_labels);
  check_every_prefix("mixed", "processes", "proc/26231/io");
}

TEST_CASE("a host without /proc is an error that names it") {
  TempDir host;
  CHECK(collect_text("processes", rooted(host.path())) == "# error not_found\n");
}

TEST_CASE("a day in which processes come and go all the time needs no more columns than one moment") {
  constexpr int kAlive = 8;
  constexpr int kTicksOfADay = 24 * 360;
  TempDir host;
  const auto begin = [&](int pid) {
    host.write(fmt::format("proc/{}/stat", pid), stat_line({.pid = pid, .start = pid, .rss_pages = pid}));
  };
  for (int pid = 1; pid <= kAlive; ++pid) begin(pid);
  CollectorOptions options = rooted(host.path());
  options.top_processes = 3;
  const auto collector = make_collector("processes", options);
  Sheet sheet(5000);
  std::size_t widest = 0;
  std::set<std::string> named;
  for (int tick_number = 0; tick_number < kTicksOfADay; ++tick_number) {
    const int newest = kAlive + 1 + tick_number;
    std::filesystem::remove_all(host.path() / "proc" / std::to_string(newest - kAlive));
    begin(newest);
    REQUIRE(tick(*collector, sheet, 1'700'000'000'000 + tick_number * 10'000LL));
    widest = std::max(widest, sheet.width());
    const SeriesSpec last = sheet.spec(sheet.width() - 1);
    if (last.name == "vigil_process_resident_memory_bytes") named.emplace(last.labels.get("pid"));
    REQUIRE(sheet.refused() == 0);
  }
  CHECK(named.size() > 4000);  // it did churn
  CHECK(widest < 30);
}

}  // namespace vigil::agent
