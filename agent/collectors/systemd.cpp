// Units of systemd: how many are in each state, and the states of those that matter, over D-Bus on
// ROOTFS/run/dbus/system_bus_socket. A host has some 200 units and each would be five series, so only these
// have series of their own: units that are failed or were in the last five minutes, and those the
// configuration names. Each timer has its last trigger. Restarts: systemd counts them, but tells only when
// asked for each service. We ask for a few services in turn; one that has ever been restarted is asked for
// and reported in every pass, so a crash loop is found within minutes and then watched closely.
#include "agent/collectors/systemd.h"

#include "agent/collectors/systemd_bus.h"
#include "agent/collectors/text.h"
#include "agent/files/scan.h"

#include <re2/re2.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace vigil::agent {
namespace {

constexpr auto kGauge = SeriesType::gauge;
constexpr Family kUnitState{
    "node_systemd_unit_state", "Whether the unit is in this state.", kGauge, 0, {"name", "state", "type"}};
constexpr Family kUnits{"node_systemd_units", "Number of systemd units in each state.", kGauge, 0, {"state"}};
constexpr Family kRestarts{"node_systemd_service_restart_total",
                           "How often systemd restarted the service by itself.",
                           SeriesType::counter,
                           0,
                           {"name"}};
constexpr Family kLastTrigger{"node_systemd_timer_last_trigger_seconds",
                              "Seconds since epoch of the last trigger of the timer.",
                              kGauge,
                              6,
                              {"name"}};
constexpr Family kRunning{"node_systemd_system_running",
                          "Whether the system is operational (systemctl is-system-running)."};
constexpr Family kVersion{"node_systemd_version", "Detected systemd version.", kGauge, 4, {"version"}};

constexpr std::array<std::string_view, 5> kStates = {"active", "activating", "deactivating", "inactive",
                                                     "failed"};
constexpr std::size_t kMostUnits = 200;  // with series of their own
constexpr std::size_t kMostTimers = 50;
constexpr std::size_t kServicesPerPass = 20;  // asked for their restarts in turn
constexpr std::chrono::minutes kLinger{5};

/// Does this error mean that the rest of the pass would fail as well?
bool is_fatal(const Error& error) {
  return error.code == Errc::timeout || error.code == Errc::unavailable;
}

/// The number in "252.39-1~deb12u2" with four decimal places: the first of three digits or more, as
/// node_exporter finds it.
std::optional<std::int64_t> version_number(const std::string& version) {
  static const re2::RE2 number("([0-9]{3,}(?:\\.[0-9]+)?)");
  std::string found;
  if (!re2::RE2::PartialMatch(version, number, &found)) return std::nullopt;
  return parse_decimal(found, kVersion.scale);
}

class SystemdCollector final : public Collector {
 public:
  SystemdCollector(const CollectorOptions& options, std::chrono::milliseconds timeout)
      : booted_(options.roots.rootfs + "/run/systemd/system"),
        socket_(options.roots.rootfs + "/run/dbus/system_bus_socket"),
        include_(options.systemd_unit_include, re2::RE2::Quiet),
        timeout_(timeout) {}

  std::string_view name() const override { return "systemd"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick& tick, Sheet& sheet) override {
    if (::access(booted_.c_str(), F_OK) != 0)
      return fail(Errc::unsupported, "{}: systemd does not run here", booted_);
    if (!include_.ok())
      return fail(Errc::invalid_argument, "'{}' is not a regular expression: {}", include_.pattern(),
                  include_.error());
    if (!bus_) {
      auto opened = SystemdBus::open(socket_, timeout_);
      if (!opened) return opened.error();
      bus_.emplace(std::move(*opened));
    }
    auto result = ask(tick, sheet);
    if (!result && is_fatal(result.error())) bus_.reset();  // connects anew in the next pass
    return result;
  }

 private:
  Result<void> ask(const Tick& tick, Sheet& sheet) {
    auto units = bus_->list_units();
    if (!units) return units.error();
    put_summary(*units, sheet);
    if (auto put = put_manager(sheet); !put) return put;
    if (auto put = put_states(tick, *units, sheet); !put) return put;
    if (auto put = put_timers(*units, sheet); !put) return put;
    return put_restarts(*units, sheet);
  }

  static void put_summary(const std::vector<SystemdUnit>& units, Sheet& sheet) {
    std::map<std::string, std::int64_t, std::less<>> counts;
    for (const std::string_view state : kStates) counts.emplace(state, 0);
    for (const SystemdUnit& unit : units) ++counts[printable(unit.active_state)];
    for (const auto& [state, count] : counts) sheet.put(kUnits, {state}, count);
  }

  Result<void> put_manager(Sheet& sheet) {
    const auto version = bus_->manager_text("Version");
    if (!version && is_fatal(version.error())) return version.error();
    if (version) {
      if (const auto number = version_number(*version)) sheet.put(kVersion, {printable(*version)}, *number);
    }
    const auto state = bus_->manager_text("SystemState");  // since systemd 212
    if (!state && is_fatal(state.error())) return state.error();
    if (state) sheet.put(kRunning, *state == "running" ? 1 : 0);
    return {};
  }

  /// Is this unit one with series of its own? Remembers when it was failed.
  bool wanted(const SystemdUnit& unit, const Tick& tick) {
    if (unit.active_state == "failed") {
      failed_at_[unit.name] = tick.steady;
      return true;
    }
    const auto failed = failed_at_.find(unit.name);
    if (failed != failed_at_.end() && tick.steady - failed->second < kLinger) return true;
    if (failed != failed_at_.end()) failed_at_.erase(failed);
    return unit.load_state == "loaded" && re2::RE2::FullMatch(unit.name, include_);
  }

  Result<void> put_states(const Tick& tick, const std::vector<SystemdUnit>& units, Sheet& sheet) {
    std::size_t count = 0;
    for (const SystemdUnit& unit : units) {
      if (!wanted(unit, tick) || ++count > kMostUnits) continue;
      const bool service = unit.name.ends_with(".service");
      std::string type;
      if (service || unit.name.ends_with(".mount")) {
        const auto told = bus_->unit_text(unit.path, service ? "Service" : "Mount", "Type");
        if (!told && is_fatal(told.error())) return told.error();
        if (told) type = printable(*told);
      }
      const std::string name = printable(unit.name);
      for (const std::string_view state : kStates)
        sheet.put(kUnitState, {name, state, type}, unit.active_state == state ? 1 : 0);
      if (service) watched_.insert(unit.name);
    }
    forget_gone_units(units);
    return {};
  }

  /// systemd unloads a unit that is stopped and needed by none, and with it its counters.
  void forget_gone_units(const std::vector<SystemdUnit>& units) {
    std::set<std::string_view> names;
    for (const SystemdUnit& unit : units) names.insert(unit.name);
    std::erase_if(failed_at_, [&](const auto& entry) { return !names.contains(entry.first); });
    std::erase_if(watched_, [&](const std::string& name) { return !names.contains(name); });
  }

  Result<void> put_timers(const std::vector<SystemdUnit>& units, Sheet& sheet) {
    std::size_t count = 0;
    for (const SystemdUnit& unit : units) {
      if (!unit.name.ends_with(".timer") || unit.load_state != "loaded" || ++count > kMostTimers) continue;
      const auto usec = bus_->unit_uint64(unit.path, "Timer", "LastTriggerUSec");
      if (!usec && is_fatal(usec.error())) return usec.error();
      if (usec && *usec < (1ULL << 62))
        sheet.put(kLastTrigger, {printable(unit.name)}, static_cast<std::int64_t>(*usec));
    }
    return {};
  }

  Result<void> put_restarts(const std::vector<SystemdUnit>& units, Sheet& sheet) {
    std::vector<const SystemdUnit*> in_turn;
    for (const SystemdUnit& unit : units) {
      if (!unit.name.ends_with(".service") || unit.load_state != "loaded") continue;
      if (unit.sub_state == "auto-restart" && watched_.size() < kMostUnits) watched_.insert(unit.name);
      if (watched_.contains(unit.name)) {
        if (auto put = put_restarts_of(unit, sheet); !put) return put;
      } else if (unit.active_state != "inactive") {
        in_turn.push_back(&unit);
      }
    }
    for (std::size_t i = 0; i < std::min(kServicesPerPass, in_turn.size()); ++i) {
      const SystemdUnit& unit = *in_turn[turn_++ % in_turn.size()];
      const auto restarts = bus_->unit_uint32(unit.path, "Service", "NRestarts");  // since systemd 235
      if (!restarts && is_fatal(restarts.error())) return restarts.error();
      if (!restarts || *restarts == 0 || watched_.size() >= kMostUnits) continue;
      watched_.insert(unit.name);
      sheet.put(kRestarts, {printable(unit.name)}, *restarts);
    }
    return {};
  }

  Result<void> put_restarts_of(const SystemdUnit& unit, Sheet& sheet) {
    const auto restarts = bus_->unit_uint32(unit.path, "Service", "NRestarts");
    if (!restarts && is_fatal(restarts.error())) return restarts.error();
    if (restarts) sheet.put(kRestarts, {printable(unit.name)}, *restarts);
    return {};
  }

  std::string booted_;
  std::string socket_;
  re2::RE2 include_;
  std::chrono::milliseconds timeout_;
  std::optional<SystemdBus> bus_;
  std::map<std::string, std::chrono::steady_clock::time_point> failed_at_;
  std::set<std::string> watched_;  // services asked for their restarts in every pass
  std::size_t turn_ = 0;
};

}  // namespace

std::unique_ptr<Collector> make_systemd_with(const CollectorOptions& options,
                                             std::chrono::milliseconds timeout) {
  return std::make_unique<SystemdCollector>(options, timeout);
}

std::unique_ptr<Collector> make_systemd(const CollectorOptions& options) {
  return make_systemd_with(options, std::chrono::seconds(2));
}

}  // namespace vigil::agent
