#include "agent/agent.h"

#include "agent/actions/action_runner.h"
#include "agent/delivery/batch_builder.h"
#include "agent/delivery/delivery.h"
#include "agent/delivery/identity.h"
#include "agent/doctor/identity_probe.h"
#include "agent/enrolment/renewal.h"
#include "agent/plan.h"
#include "agent/sampling/beat.h"
#include "agent/self/memory.h"
#include "agent/self/self_collector.h"
#include "agent/wake.h"
#include "common/clock.h"
#include "common/config/changes.h"
#include "common/delivery/pace.h"
#include "common/doctor/peer.h"
#include "common/grpc/runtime.h"
#include "common/log/log.h"
#include "common/open_files.h"
#include "common/systemd_notify.h"
#include "common/threads/schedule.h"
#include "common/version.h"

#include <algorithm>
#include <array>
#include <optional>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatienceAtStop{3000};
constexpr milliseconds kKeepDurable = std::chrono::minutes(15);
/// gRPC aborts when it cannot have its descriptors: better to say so first.
constexpr std::uint64_t kFewestDescriptors = 128;
constexpr int kBeatsToStart =
    15;  // by then every slow collector and the connection have done all they do first

Now now() {
  return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
}

std::string machine_id(const AgentConfig& config, const std::string& name) {
  const auto id = machine_identity(config.options.roots.rootfs + "/etc");
  if (id) return *id;
  log::warn("agent", "no machine id, the host's name stands in for it", {{"error", id.error()}});
  return identity_from_name(name);
}

Identity identity(const AgentConfig& config) {
  Identity me;
  me.name = name_at_aggregator(config);
  me.machine_id = machine_id(config, me.name);
  me.stream_id = random_stream_id();
  me.boot_id = boot_identity(config.options.roots.procfs);
  me.agent_version = kVersion;
  me.interval = config.interval;
  me.labels.assign(config.labels.begin(), config.labels.end());
  return me;
}

/// What of the configuration is in the samples and the Hello of a stream: taken over with the next one.
constexpr std::array<std::string_view, 5> kOfStream = {"interval", "labels", "collectors", "filters",
                                                       "docker_socket"};

/// What a reload puts in force; every other key needs a restart.
std::vector<std::string_view> keys_taken() {
  std::vector<std::string_view> keys{"log_level", "max_series", "actions_file"};
  keys.insert(keys.end(), kOfStream.begin(), kOfStream.end());
  return keys;
}

bool is_of_stream(std::string_view path) {
  return std::ranges::any_of(kOfStream, [path](std::string_view key) {
    return path == key || path.starts_with(std::string(key) + ".");
  });
}

/// What of the configuration says how to connect: kept for as long as the agent runs, unlike the document it
/// was read from.
AgentConfig connection_part(const AgentConfig& config) {
  AgentConfig part;
  part.name = config.name;
  part.aggregator = config.aggregator;
  part.tls = config.tls;
  part.spool.dir = config.spool.dir;
  return part;
}

/// Certificates change while the agent runs: they are renewed, or somebody puts others there.
std::optional<TlsMaterial> fresh_tls(const AgentConfig& config) {
  auto channel = channel_options(config);
  if (!channel || channel->transport != Transport::tls) return std::nullopt;
  return std::move(channel->tls);
}

/// Only what lasts until somebody mends it: nobody who answers may be an aggregator that starts just now.
std::optional<Trouble> look_for_trouble(const ChannelOptions& channel, const std::string& enrolled_as) {
  using Reached = doctor::PeerFacts::Reached;
  constexpr milliseconds kSoon{1000};
  const auto facts = doctor::look_at_peer(peer_of(channel, kSoon));
  if (facts.reached == Reached::no_answer || facts.reached == Reached::speaks_grpc) return std::nullopt;
  const auto findings = check_way(facts, enrolled_as, wall_ms());
  if (findings.empty()) return std::nullopt;
  return Trouble{findings.front().seen, findings.front().fix};
}

}  // namespace

/// Everything the agent is made of, in order of construction; destroyed the other way round.
struct Agent::Parts {
  Parts(const AgentConfig& config, std::function<Result<AgentConfig>()> the_reread, Waiter the_waiter,
        ChannelOptions channel)
      : reread(std::move(the_reread)),
        in_force(config::settings(config), keys_taken()),
        interval(config.interval),
        tls(config.tls),
        roots(config.options.roots),
        max_series(config.max_series),
        waiter(std::move(the_waiter)),
        aggregator(channel.address),
        me(identity(config)),
        actions(config.actions_file, [this](const v1::ActionResult& result) { delivery.answer(result); }),
        delivery({std::move(channel),
                  me,
                  {config.buffer.count, kKeepDurable.count()},
                  {spool_directory(config), config.spool.max_size.count},
                  [this](const v1::ActionRequest& request) { actions.take(request); },
                  [part = connection_part(config)] { return fresh_tls(part); },
                  [enrolled_as = says_how_to_speak(config.tls) ? std::string() : me.name](
                      const ChannelOptions& present) { return look_for_trouble(present, enrolled_as); }}),
        builder([this](EncodedBatch batch) { delivery.push(std::move(batch)); }),
        runner(make_runner(config)) {
    renew_certificate(config);
  }

  /// What these have to say goes to the delivery.
  ~Parts() {
    renewal.reset();
    actions.stop();
  }
  Parts(const Parts&) = delete;

  void renew_certificate(const AgentConfig& config);
  std::vector<PlannedCollector> plan(const AgentConfig& config);
  std::unique_ptr<Runner> make_runner(const AgentConfig& config);
  BeatFigures beat_figures();
  void reload();
  void take(const AgentConfig& config);
  void adopt_next();
  void beat();
  void sample(const Tick& tick);
  void watchdog(std::chrono::steady_clock::time_point steady);
  void settle();
  void loop();

  const std::function<Result<AgentConfig>()> reread;
  config::InForce in_force;
  milliseconds interval;
  const TlsSettings tls;  // as it was at the start, and so are the roots
  const Roots roots;
  std::size_t max_series;
  Waiter waiter;
  const std::string aggregator;
  const Identity me;
  ActionRunner actions;
  Delivery delivery;
  BatchBuilder builder;
  BeatFigures figures;
  std::unique_ptr<Runner> runner;   // its threads use the waiter
  std::optional<AgentConfig> next;  // taken at a reload, in force with the stream that begins next
  std::optional<Beat> clock;        // while it runs
  std::optional<Renewal> renewal;   // of an enrolled host
  std::int64_t last_delivery = 0;
  int beats = 0;
  const std::optional<milliseconds> watchdog_interval = systemd_watchdog_interval();
  std::chrono::steady_clock::time_point next_watchdog{};
};

void Agent::Parts::renew_certificate(const AgentConfig& config) {
  const auto present = stored_identity(config);
  if (!present || !*present) return;
  RenewalOptions options;
  options.folder = identity_folder(config);
  options.now_ms = wall_ms;
  options.ask = [part = connection_part(config)](const OwnIdentity&,
                                                 const std::string& request) -> Result<RenewedTls> {
    const auto channel = channel_options(part);
    if (!channel) return channel.error();
    return ask_aggregator(*channel, request);
  };
  options.on_renewed = [this] { delivery.reconnect(); };
  renewal.emplace(std::move(options), **present);
}

std::vector<PlannedCollector> Agent::Parts::plan(const AgentConfig& config) {
  std::vector<PlannedCollector> planned = plan_collectors(config);
  auto self = std::make_unique<SelfCollector>([this] { return beat_figures(); },
                                              [this] { return delivery.figures(); },
                                              CertificateEnds({{"tls.ca", tls.ca}, {"tls.cert", tls.cert}}));
  const auto every = std::max<milliseconds>(self->interval(), config.interval);
  planned.push_back({std::move(self), every});
  return planned;
}

std::unique_ptr<Runner> Agent::Parts::make_runner(const AgentConfig& config) {
  return std::make_unique<Runner>(
      plan(config), RunnerOptions{.max_series = config.max_series}, [this] { waiter.wake(); },
      std::chrono::steady_clock::now());
}

BeatFigures Agent::Parts::beat_figures() {
  figures.series = runner->series();
  figures.series_left_out = runner->series_left_out();
  BeatFigures out = figures;
  figures.latest = {};
  return out;
}

void Agent::Parts::loop() {
  clock.emplace(interval, now());
  for (;;) {
    switch (waiter.wait(clock->due())) {
      case Waiter::Woken::to_end:
        return;
      case Waiter::Woken::to_reload:
        reload();
        break;
      case Waiter::Woken::by_call:
        runner->poll(std::chrono::steady_clock::now(), builder);
        break;
      case Waiter::Woken::by_time:
        break;
    }
    if (std::chrono::steady_clock::now() >= clock->due()) beat();
  }
}

/// What is in force is compared under the same names as in the file: a key that nobody takes cannot be
/// forgotten.
void Agent::Parts::reload() {
  const auto config = reread();
  figures.reload_failed = !config;
  if (!config) return log::error("agent", "not reloaded, all stays as it was", {{"error", config.error()}});
  const auto settings = config::settings(*config);
  const config::Changes changes = in_force.compare(settings);
  take(*config);
  if (std::ranges::any_of(changes.taken, is_of_stream)) {
    next = *config;
    next->options.roots = roots;
    delivery.begin_stream({config->interval, {config->labels.begin(), config->labels.end()}});
  }
  in_force.adopt(settings);
  figures.restart_needed = changes.needs_restart.size();
  if (!changes.taken.empty())
    log::info("agent", "reloaded", {{"changed", fmt::format("{}", fmt::join(changes.taken, ", "))}});
  else if (changes.needs_restart.empty())
    log::info("agent", "reloaded, nothing changed");
  if (!changes.needs_restart.empty())
    log::warn("agent", "changed in the configuration, but in force only after a restart",
              {{"keys", fmt::format("{}", fmt::join(changes.needs_restart, ", "))}});
}

void Agent::Parts::take(const AgentConfig& config) {
  log::set_level(config.log_level);
  actions.set_list(config.actions_file);
  max_series = config.max_series;
  runner->set_max_series(max_series);
}

/// As if it started now, but for what waits and the connection: what collectors had seen before, they have
/// forgotten.
void Agent::Parts::adopt_next() {
  if (!next) return;
  runner.reset();  // before others read the same files and sockets
  runner = make_runner(*next);
  if (next->interval != interval) clock.emplace(next->interval, now());
  interval = next->interval;
  next.reset();
}

void Agent::Parts::beat() {
  const Now moment = now();
  figures.latest = std::max(figures.latest, std::chrono::nanoseconds(moment.steady - clock->due()));
  const auto tick = clock->take(moment);
  figures.missed = clock->missed();
  figures.left_out = clock->left_out();
  if (tick && !delivery.stuck()) sample(*tick);
  watchdog(moment.steady);
  if (++beats == kBeatsToStart) settle();
}

void Agent::Parts::sample(const Tick& tick) {
  if (const std::size_t allowed = delivery.max_series(); allowed > 0)
    runner->set_max_series(std::min(allowed, max_series));
  if (delivery.begins_stream()) {
    builder.begin_stream();
    adopt_next();
  }
  runner->beat(tick, builder);
  // Samples wait for the interval the aggregator asks for; a slot that has begun sends what came before.
  const std::int64_t slot = delivery_slot(tick.wall_ms, delivery.interval());
  if (slot == last_delivery) return;
  last_delivery = slot;
  builder.flush();
}

void Agent::Parts::settle() {
  const auto released = release_startup_memory();
  if (!released) log::debug("agent", "memory needed only to start stays", {{"error", released.error()}});
}

void Agent::Parts::watchdog(std::chrono::steady_clock::time_point steady) {
  if (!watchdog_interval || steady < next_watchdog) return;
  next_watchdog = steady + *watchdog_interval;
  systemd_notify("WATCHDOG=1");
}

Result<std::unique_ptr<Agent>> Agent::create(const AgentConfig& config,
                                             std::function<Result<AgentConfig>()> reread) {
  if (raise_open_file_limit() < kFewestDescriptors)
    return fail(Errc::limit,
                "fewer than {} open files are allowed; raise ulimit -n or LimitNOFILE=", kFewestDescriptors);
  prepare_grpc();
  auto waiter = Waiter::open();
  if (!waiter) return waiter.error();
  auto channel = channel_options(config);
  if (!channel) return channel.error();
  return std::unique_ptr<Agent>(
      new Agent(std::make_unique<Parts>(config, std::move(reread), std::move(*waiter), std::move(*channel))));
}

Agent::Agent(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Agent::~Agent() = default;

void Agent::run() {
  ask_for_short_turns();
  Parts& parts = *parts_;
  // Start order: delivery first, so that nothing sampled waits; then beats. Stop order: beats, the last
  // batch, actions, delivery.
  parts.delivery.start();
  log::info(
      "agent", "ready",
      {{"aggregator", parts.aggregator}, {"name", parts.me.name}, {"interval_ms", parts.interval.count()}});
  systemd_notify("READY=1");
  parts.loop();
  systemd_notify("STOPPING=1");
  log::info("agent", "stopping");
  parts.renewal.reset();
  parts.builder.flush();
  parts.actions.stop();
  parts.delivery.stop(kPatienceAtStop);
}

}  // namespace vigil::agent
