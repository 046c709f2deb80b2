#include "cli/bench/fleet_bench.h"

#include "cli/bench/interrupts.h"
#include "common/clock.h"
#include "common/open_files.h"
#include "common/text/human.h"
#include "common/version.h"

#include <sys/resource.h>

#include <algorithm>

namespace vigil::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kOtherFiles = 128;  // descriptors besides the agents' connections
constexpr milliseconds kPoll{100};          // how soon an interrupt is seen
constexpr milliseconds kPatience{60'000};   // for a phase that should be over at once
constexpr milliseconds kSealPatience = std::chrono::minutes(10);
constexpr milliseconds kQueryPatience = std::chrono::minutes(10);
constexpr milliseconds kCalm{1000};  // after connecting, before memory is looked at

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Six characters that no other run has, in names of hosts.
std::string run_name() {
  constexpr std::int64_t kRuns = 0xffffff;
  return fmt::format("{:06x}", wall_ms() / 100 & kRuns);
}

ChannelOptions channel_options(const ClientOptions& client) {
  ChannelOptions channel;
  channel.address = client.address;
  channel.transport = client.tls ? Transport::tls : Transport::plain;
  channel.tls = {client.ca_pem, client.cert_pem, client.key_pem};
  return channel;
}

double part(std::size_t done, std::size_t of) {
  return of == 0 ? 1 : static_cast<double>(done) / static_cast<double>(of);
}

}  // namespace

FleetBench::FleetBench(FleetBenchOptions options, const Replay& replay)
    : options_(std::move(options)), replay_(replay) {}
FleetBench::~FleetBench() = default;

Result<RunFigures> FleetBench::run() {
  const std::uint64_t files = raise_open_file_limit();
  if (files < options_.agents + kOtherFiles) {
    return fail(Errc::limit,
                "{} agents need {} open files, and only {} are allowed: raise the limit (ulimit -n, "
                "LimitNOFILE=), or take fewer agents",
                options_.agents, options_.agents + kOtherFiles, files);
  }
  const Interrupts interrupts;
  progress_.emplace();
  for (const auto step :
       {&FleetBench::find_aggregator, &FleetBench::connect, &FleetBench::warm_up, &FleetBench::steady}) {
    if (auto done = (this->*step)(); !done) return done.error();
  }
  drain();
  for (const auto step : {&FleetBench::verify, &FleetBench::end}) {
    if (auto done = (this->*step)(); !done) return done.error();
  }
  progress_.reset();
  note_doubts();
  return figures_;
}

Result<void> FleetBench::find_aggregator() {
  ClientOptions target;
  if (options_.aggregator) {
    target = *options_.aggregator;
  } else {
    progress_->show("starting", 0, "an aggregator");
    auto own = OwnAggregator::start({options_.agents, replay_.series().size(), options_.rules_preset});
    if (!own) return own.error();
    own_ = std::move(*own);
    if (options_.afterwards == Afterwards::keep) own_->keep();
    if (own_->in_memory())
      notes_.push_back(own_->folder() + " is in memory: commits cost nothing there; set TMPDIR to a disk");
    target.address = own_->address();
    target.timeout = kQueryPatience;
  }
  client_ = Client::create(target);
  auto before = look();
  if (!before) return before.error();
  figures_.before = *before;
  if (own_) figures_.before.disk_bytes = 0;
  figures_.version = std::string(kVersion);
  figures_.trace = replay_.trace();
  figures_.agents = options_.agents;
  figures_.series = replay_.series().size();
  figures_.interval = options_.interval;
  fleet_ = std::make_unique<Fleet>(
      FleetOptions{channel_options(target), options_.agents, options_.interval, options_.phase, run_name()},
      replay_);
  return {};
}

Result<AggregatorFigures> FleetBench::look() {
  AggregatorFigures figures;
  if (own_) {
    if (const auto words = own_->died())
      return fail(Errc::unavailable, "the aggregator ended by itself; it said:\n{}", *words);
    const auto process = own_->figures();
    if (!process) return process.error();
    figures.cpu_seconds = process->cpu_seconds;
    figures.rss_bytes = process->rss_bytes;
    if (!own_->in_memory()) figures.written_bytes = process->written_bytes;
    return figures;
  }
  auto status = client_->status();
  if (!status && status.error().code == Errc::unavailable && fleet_) {  // one that restarts under load
    wait("waiting", kPatience, [&] {
      status = client_->status();
      return status || status.error().code != Errc::unavailable ? 1.0 : 0.0;
    });
  }
  if (!status) return status.error();
  figures.cpu_seconds = status->cpu_seconds();
  figures.rss_bytes = status->resident_bytes();
  figures.disk_bytes = status->disk_bytes();
  figures.series = status->series();
  return figures;
}

bool FleetBench::wait(std::string_view what, milliseconds patience, const std::function<double()>& share) {
  const int interrupts = Interrupts::count();
  const Time deadline = steady_clock::now() + patience;
  for (;;) {
    const double now = share();
    if (now >= 1) return true;
    if (steady_clock::now() >= deadline || Interrupts::count() > interrupts) return false;
    const FleetFigures figures = fleet_->figures();
    progress_->show(what, now,
                    fmt::format("{} agents, {} samples, acknowledged after {:.0f} ms", figures.welcomed,
                                format_si(static_cast<double>(figures.samples_acked)),
                                static_cast<double>(fleet_->latencies().percentile(0.5).count()) / 1000));
    fleet_->poll(std::min(steady_clock::now() + kPoll, deadline));
  }
}

Result<void> FleetBench::connect() {
  const milliseconds ramp(std::max<std::size_t>(options_.agents, 100));  // 1,000 a second
  fleet_->connect_over(ramp);
  wait("connecting", ramp + kPatience, [this] { return part(fleet_->figures().welcomed, options_.agents); });
  const std::size_t welcomed = fleet_->figures().welcomed;
  if (Interrupts::count() > 0) return fail(Errc::timeout, "interrupted before anything was measured");
  if (welcomed == 0) {
    std::string why = "nobody answered";
    for (const auto& [kind, ends] : fleet_->ends()) why = ends.latest;
    return fail(Errc::unavailable, "none of {} agents was taken: {}", options_.agents, why);
  }
  if (welcomed < options_.agents)
    notes_.push_back(
        fmt::format("only {} of {} agents were connected when sending began", welcomed, options_.agents));
  fleet_->poll(steady_clock::now() + kCalm);
  auto connected = look();
  if (!connected) return connected.error();
  figures_.connected = *connected;
  return {};
}

Result<void> FleetBench::warm_up() {
  fleet_->begin_sampling();
  const auto first_rows = [this] {
    std::size_t done = 0;
    for (std::size_t i = 0; i < fleet_->size(); ++i) done += fleet_->agent(i).durable_rows() > 0 ? 1 : 0;
    return part(done, fleet_->size());
  };
  wait("warming up", options_.interval + kPatience, first_rows);
  if (Interrupts::count() > 0) return fail(Errc::timeout, "interrupted before anything was measured");
  if (first_rows() == 0)
    return fail(Errc::timeout, "the aggregator acknowledged nothing within {} s", kPatience.count() / 1000);
  return {};
}

Result<void> FleetBench::steady() {
  auto from = look();
  if (!from) return from.error();
  const double own_from = own_cpu_seconds();
  const std::uint64_t acked_from = fleet_->figures().samples_acked;
  fleet_->begin_measuring();
  const Time begin = steady_clock::now();
  Time look_at = begin;
  Result<AggregatorFigures> now = from;
  wait("sending", options_.duration, [&] {
    if (steady_clock::now() >= look_at) {  // also notices that it died
      look_at = steady_clock::now() + std::chrono::seconds(5);
      if (own_) now = look();
    }
    const auto spent = steady_clock::now() - begin;
    return !now ? 1.0 : std::chrono::duration<double>(spent) / options_.duration;
  });
  if (now) now = look();
  if (!now) return now.error();
  const FleetFigures fleet = fleet_->figures();
  figures_.steady_from = *from;
  figures_.steady_to = *now;
  figures_.steady = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
  figures_.steady_acked = fleet.samples_acked - acked_from;
  figures_.own_cpu_seconds = own_cpu_seconds() - own_from;
  figures_.ack_p50 = fleet_->latencies().percentile(0.5);
  figures_.ack_p99 = fleet_->latencies().percentile(0.99);
  figures_.ack_max = fleet_->latencies().max();
  figures_.delivery_interval = fleet.delivery_interval;
  if (now->cpu_seconds < from->cpu_seconds)
    notes_.push_back("the aggregator restarted: figures of its CPU and memory are of no use");
  if (fleet.latest_delivery > milliseconds(fleet.delivery_interval)) {
    notes_.push_back(
        fmt::format("this program fell {:.1f} s behind: there was no CPU left for the fleet, and the figures "
                    "are its own",
                    std::chrono::duration<double>(fleet.latest_delivery).count()));
  }
  return {};
}

void FleetBench::drain() {
  fleet_->leave();
  wait("draining", kPatience, [this] { return part(fleet_->figures().all_durable, options_.agents); });
  wait("goodbye", std::chrono::seconds(10),
       [this] { return part(options_.agents - fleet_->figures().open, options_.agents); });
  note_ends();
  const FleetFigures fleet = fleet_->figures();
  figures_.samples_sent = fleet.samples_sent;
  figures_.samples_acked = fleet.samples_acked;
  figures_.message_bytes = fleet.bytes_sent;
  if (fleet.samples_acked < fleet.samples_sent)
    notes_.push_back(counted(fleet.samples_sent - fleet.samples_acked, "sample was", "samples were") +
                     " sent and not acknowledged when the run ended");
  fleet_->close();
}

Sent FleetBench::sent() const {
  Sent sent{&replay_, fleet_->plan().first_time_ms, options_.interval.count(), {}};
  for (std::size_t i = 0; i < fleet_->size(); ++i) {
    const FleetAgent& agent = fleet_->agent(i);
    sent.agents.push_back({agent.name(), agent.first_row(), agent.durable_rows(), agent.sent_rows()});
  }
  return sent;
}

Result<ReadBack> FleetBench::read_back_now(std::string_view what) {
  return read_back(*client_, sent(), {}, [&](std::size_t done, std::size_t of) {
    progress_->show(what, part(done, of), fmt::format("{} of {} agents", done, of));
    return Interrupts::count() < 2;
  });
}

Result<void> FleetBench::verify() {
  if (Interrupts::count() >= 2) {
    notes_.push_back("interrupted: nothing was read back");
    return {};
  }
  auto read = read_back_now("reading back");
  if (!read) return read.error();
  if (!read->example.empty()) notes_.push_back("for example " + read->example);
  figures_.read_back = std::move(*read);
  return {};
}

Result<void> FleetBench::end() {
  auto now = look();
  if (!now) return now.error();
  if (own_) {
    figures_.stopping = *now;
    return end_own();
  }
  figures_.stopped.disk_bytes = now->disk_bytes;
  if (options_.afterwards == Afterwards::clean_up) forget_hosts();
  return {};
}

Result<void> FleetBench::end_own() {
  const auto meanwhile = [this] { progress_->show("sealing", 0, "the aggregator stops"); };
  auto ended = own_->stop(kSealPatience, meanwhile);
  if (!ended) return ended.error();
  figures_.stopped.cpu_seconds = ended->process.cpu_seconds;
  figures_.stopped.disk_bytes = ended->disk_bytes;
  if (!own_->in_memory()) figures_.stopped.written_bytes = ended->process.written_bytes;
  if (options_.afterwards == Afterwards::keep) notes_.push_back("kept: " + own_->folder());
  if (options_.verify == Verify::running || Interrupts::count() > 0) return {};
  progress_->show("starting", 0, "the aggregator again");
  if (auto started = own_->restart(); !started) return started.error();
  ClientOptions target;
  target.address = own_->address();
  target.timeout = kQueryPatience;
  client_ = Client::create(target);
  const auto again = read_back_now("reading again");
  if (!again) return again.error();
  if (!again->example.empty()) notes_.push_back("after a restart, for example " + again->example);
  if (figures_.read_back) {
    figures_.read_back->lost = std::max(figures_.read_back->lost, again->lost);
    figures_.read_back->doubled = std::max(figures_.read_back->doubled, again->doubled);
  }
  auto stopped = own_->stop(kSealPatience, meanwhile);
  if (!stopped) return stopped.error();
  return {};
}

/// The samples stay until retention takes them; the hosts would be shown for ever.
void FleetBench::forget_hosts() {
  std::optional<Error> error;
  for (std::size_t i = 0; i < fleet_->size() && Interrupts::count() < 2; ++i) {
    progress_->show("forgetting", part(i, fleet_->size()), "hosts of this run");
    v1::ForgetHostRequest request;
    request.set_name(fleet_->agent(i).name());
    if (const auto forgotten = client_->forget(request); !forgotten) error = forgotten.error();
  }
  if (error)
    notes_.push_back(
        fmt::format("some hosts vigil-bench-{}-* are still there: {}", fleet_->plan().run, error->message));
}

void FleetBench::note_ends() {
  for (const auto& [kind, ends] : fleet_->ends())
    notes_.push_back(fmt::format("{} ended: {}", counted(ends.count, "stream"), ends.latest));
}

void FleetBench::note_doubts() {
  if (replay_.left_out() > 0)
    notes_.push_back(
        fmt::format("{} columns of the trace have absent cells and were left out", replay_.left_out()));
  if (figures_.steady < 3 * figures_.delivery_interval)
    notes_.push_back(fmt::format("agents deliver each {}: measure longer for steady figures",
                                 format_duration(figures_.delivery_interval)));
}

}  // namespace vigil::cli
