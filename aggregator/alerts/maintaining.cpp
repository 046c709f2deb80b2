#include "aggregator/alerts/maintaining.h"

#include "aggregator/alerts/messages.h"
#include "aggregator/notify/text.h"
#include "aggregator/promql/literals.h"
#include "common/log/log.h"
#include "common/text/human.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace vigil::alerts {
namespace {

using silences::MaintenanceCheck;
using silences::MaintenanceProgress;
using silences::MaintenanceStep;
using silences::Silence;
using std::chrono::milliseconds;

constexpr std::size_t kMostLines = 20;
constexpr std::size_t kMostContainers = 1000;

/// Lines under a headline, no more than people read.
class Section {
 public:
  explicit Section(std::string headline) : headline_(std::move(headline)) {}
  void add(std::string_view line) {
    if (++count_ > kMostLines) return;
    lines_ += "\n- ";
    lines_ += line;
  }
  bool empty() const { return count_ == 0; }
  std::string text() const {
    const std::string more = count_ > kMostLines ? fmt::format("\n- and {} more", count_ - kMostLines) : "";
    return fmt::format("{}: {}{}{}", headline_, count_, lines_, more);
  }

 private:
  std::string headline_;
  std::string lines_;
  std::size_t count_ = 0;
};

/// "2026-03-01 22:00 UTC"
std::string minute_text(std::int64_t t_ms) {
  std::string text = format_rfc3339(t_ms).substr(0, 16);
  text[10] = ' ';
  return text + " UTC";
}

/// "HighCpu on web-1 (critical)": one name may be alerts of two severities.
std::string name_of(const Labels& labels) {
  const std::string_view instance = labels.get("instance");
  const std::string_view severity = labels.get("severity");
  return fmt::format("{}{}{}", labels.get("alertname"),
                     instance.empty() ? "" : fmt::format(" on {}", instance),
                     severity.empty() ? "" : fmt::format(" ({})", severity));
}

/// Whether a check has a sample that is not 0.
std::string result_of(const MaintenanceCheck& check, const Surroundings& around) {
  const std::string name = check.name.empty() ? check.expr : check.name;
  if (!around.ask) return name + ": not looked at";
  const auto samples = around.ask(check.expr, around.now_ms);
  if (!samples) return fmt::format("{}: failed, {}", name, samples.error().message);
  const bool passes =
      std::any_of(samples->begin(), samples->end(), [](const auto& sample) { return sample.second != 0; });
  return fmt::format("{}: {}", name, passes ? "well" : "NOT WELL");
}

void add_checks(const std::vector<MaintenanceCheck>& checks, std::string_view when,
                const Surroundings& around, std::vector<std::string>& out) {
  if (checks.empty()) return;
  Section section(fmt::format("Checks {}", when));
  for (const MaintenanceCheck& check : checks) section.add(result_of(check, around));
  out.push_back(section.text());
}

/// How the plan's actions ended.
void add_runs(const std::vector<std::string>& runs, std::string_view when, const Surroundings& around,
              std::vector<std::string>& out) {
  if (runs.empty()) return;
  Section section(fmt::format("Actions {}", when));
  for (const std::string& id : runs) {
    const auto run = around.acting.find(id);
    section.add(run ? fmt::format("{}{}{}: {}", run->action, run->subject.host.empty() ? "" : " on ",
                                  run->subject.host, actions::sentence_of(*run))
                    : "one that is forgotten");
  }
  out.push_back(section.text());
}

/// Asks for the plan's actions; those that nobody configured any more are left out, which the log says.
std::vector<std::string> ask_for(const std::vector<std::string>& wanted, const Silence& silence,
                                 const MaintenanceRound& round) {
  std::vector<std::string> out;
  for (const std::string& text : wanted) {
    const silences::PlannedAction planned = silences::planned_action(text);
    actions::Order order;
    order.action = planned.name;
    order.trigger = actions::Trigger::maintenance;
    order.subject.host = planned.host;
    order.author = silence.author;
    order.comment = silence.maintenance->title;
    const auto run = round.acting.ask(order, round.now_ms);
    if (run) {
      out.push_back(run->id);
    } else {
      log::warn("alerts", "a maintenance asks for an action that cannot be run",
                {{"id", silence.id}, {"error", run.error()}});
    }
  }
  return out;
}

/// `, instance="web-1"`: the hosts that the silence is about, to stand behind another matcher; "" where it
/// names none.
std::string hosts_of(const Silence& silence) {
  std::string hosts;
  for (const auto& matcher : silence.matchers) {
    if (matcher.name() == "instance") hosts += ", " + matchers::to_string(matcher);
  }
  return hosts;
}

/// Whether after our own start all of its hosts were heard, or had the time for it: before that they seem to
/// be neither up nor well.
bool are_back(const Silence& silence, const MaintenanceRound& round) {
  if (!round.ask || round.now_ms >= round.returned_ms) return true;
  const std::string hosts = hosts_of(silence);
  const auto has = [&round](const std::string& expr) {
    const auto found = round.ask(expr, round.now_ms);
    return found && !found->empty();
  };
  const auto has_none = [&round](const std::string& expr) {
    const auto found = round.ask(expr, round.now_ms);
    return found && found->empty();
  };
  if (has(fmt::format("up{{job=\"node\"{}}}", hosts)))
    return has_none(fmt::format("vigil_host_state{{state=\"late\"{}}} == 1", hosts));
  // Of hosts that the fleet does not know nobody will be heard.
  return has("up{job=\"node\"}") && has_none(fmt::format("vigil_host_state{{state!=\"\"{}}}", hosts));
}

/// Containers that run on the hosts that the silence is about; none where it names no host.
Result<std::set<std::string>> running_containers(const Silence& silence, const Surroundings& around) {
  const std::string hosts = hosts_of(silence);
  std::set<std::string> running;
  if (hosts.empty() || !around.ask) return running;
  const auto samples =
      around.ask(fmt::format("container_state{{state=\"running\"{}}} == 1", hosts), around.now_ms);
  if (!samples) return samples.error();
  for (const auto& [labels, value] : *samples)
    running.insert(fmt::format("{}/{}", labels.get("instance"), labels.get("name")));
  return running;
}

/// What fired within the window: still, or over.
void add_digest(const Silence& silence, const MaintenanceProgress& progress, const Surroundings& around,
                std::vector<std::string>& out) {
  Section still("Still firing");
  Section over("Cleared");
  Section inside("Began and cleared inside");
  around.book.for_each([&](const Alert& alert) {
    if (alert.state != State::firing || !matchers::matches(silence.matchers, alert.labels)) return;
    const bool is_new = alert.fired_at_ms >= progress.begin_ms;
    const std::string value = notify::value_text(to_notification(alert, notify::Kind::firing, ""));
    still.add(fmt::format("{}: {}, since {}{}", name_of(alert.labels), value, minute_text(alert.fired_at_ms),
                          is_new ? "" : ", before the maintenance"));
  });
  std::map<std::string, std::pair<std::size_t, bool>> ended;  // how often, and whether it fired before
  if (around.ended) {
    for (const EndedAlert& alert : around.ended(progress.begin_ms)) {
      if (!matchers::matches(silence.matchers, alert.labels)) continue;
      auto& [count, before] = ended[name_of(alert.labels)];
      ++count;
      before = before || alert.fired_at_ms < progress.begin_ms;
    }
  }
  for (const auto& [name, what] : ended) {
    const auto& [count, before] = what;
    (before ? over : inside).add(count == 1 ? name : fmt::format("{}, {} times", name, count));
  }
  for (const Section* section : {&still, &over, &inside}) {
    if (!section->empty()) out.push_back(section->text());
  }
  if (still.empty() && over.empty() && inside.empty()) out.emplace_back("Nothing fired.");
}

void add_missing_containers(const Silence& silence, MaintenanceProgress& progress, const Surroundings& around,
                            std::vector<std::string>& out) {
  if (progress.running.empty()) return;
  const auto now = running_containers(silence, around);
  if (!now) return out.push_back("Containers: not looked at, " + now.error().message);
  Section missing("Containers that ran before and do not now");
  for (const std::string& name : progress.running) {
    if (now->contains(name)) continue;
    missing.add(name);
    progress.missing.push_back(name);
  }
  out.push_back(missing.empty() ? fmt::format("All {} containers run again.", progress.running.size())
                                : missing.text());
}

std::string headline_of(const Silence& silence, MaintenanceStep step, const MaintenanceProgress& progress,
                        std::int64_t now_ms) {
  const std::string& title = silence.maintenance->title;
  switch (step) {
    case MaintenanceStep::notice: {
      const milliseconds left(progress.begin_ms - now_ms);
      const milliseconds rounded = left < std::chrono::minutes(2)
                                       ? milliseconds(std::chrono::ceil<std::chrono::seconds>(left))
                                       : milliseconds(std::chrono::round<std::chrono::minutes>(left));
      return fmt::format("{} begins in {}, at {}", title, format_duration(rounded),
                         minute_text(progress.begin_ms));
    }
    case MaintenanceStep::begin:
      return fmt::format("{} has begun, until {}", title, minute_text(progress.end_ms));
    case MaintenanceStep::end:
      return fmt::format("{} is over", title);
    case MaintenanceStep::ask_before:
    case MaintenanceStep::ask_after:
    case MaintenanceStep::cancelled:
      break;
  }
  return fmt::format("{} is cancelled", title);
}

std::string_view occasion_of(MaintenanceStep step) {
  switch (step) {
    case MaintenanceStep::notice:
      return "Maintenance announced";
    case MaintenanceStep::begin:
      return "Maintenance begins";
    case MaintenanceStep::end:
      return "Maintenance ends";
    case MaintenanceStep::ask_before:
    case MaintenanceStep::ask_after:
    case MaintenanceStep::cancelled:
      break;
  }
  return "Maintenance cancelled";
}

std::string details_of(const Silence& silence, MaintenanceStep step, MaintenanceProgress& progress,
                       const Surroundings& around) {
  const silences::MaintenancePlan& plan = *silence.maintenance;
  std::vector<std::string> parts;
  if (!plan.impact.empty() && step != MaintenanceStep::end) parts.push_back("Impact: " + plan.impact);
  if (step == MaintenanceStep::begin) {
    const auto running = running_containers(silence, around);
    if (running) {
      for (const std::string& name : *running) {
        if (progress.running.size() < kMostContainers) progress.running.push_back(name);
      }
    } else {
      parts.push_back(fmt::format("Containers: not looked at, {}", running.error().message));
    }
    add_runs(progress.runs_before, "before", around, parts);
    add_checks(plan.before, "before", around, parts);
  }
  if (step == MaintenanceStep::end) {
    add_runs(progress.runs_after, "after", around, parts);
    add_checks(plan.after, "after", around, parts);
    add_digest(silence, progress, around, parts);
    add_missing_containers(silence, progress, around, parts);
  }
  parts.push_back(fmt::format("For {}, by {}: {}", matchers::to_string(silence.matchers), silence.author,
                              silence.comment));
  return fmt::format("{}", fmt::join(parts, "\n"));
}

/// The one host it is about, or "".
std::string host_of(const Silence& silence) {
  std::string host;
  for (const auto& matcher : silence.matchers) {
    if (matcher.name() != "instance" || matcher.op() != promql::MatchOp::equal) continue;
    host = matcher.value();
  }
  return host;
}

/// "Database upgrade on db-1 until 2026-03-01 22:00 UTC"
std::string title_of(const Silence& silence, MaintenanceStep step, const MaintenanceProgress& progress) {
  const std::string host = host_of(silence);
  const std::string where =
      host.empty() ? "for " + matchers::to_string(silence.matchers) : std::string("on ") + host;
  std::string title = fmt::format("{} {}", silence.maintenance->title, where);
  if (step == MaintenanceStep::notice) title += " from " + minute_text(progress.begin_ms);
  if (step == MaintenanceStep::begin) title += " until " + minute_text(progress.end_ms);
  return title;
}

/// The next step that is due and can be taken.
std::optional<MaintenanceStep> step_of(const Silence& silence, MaintenanceProgress& progress,
                                       const MaintenanceRound& round) {
  const auto are_over = [&round](const std::vector<std::string>& runs) {
    return std::all_of(runs.begin(), runs.end(), [&round](const std::string& id) {
      const auto run = round.acting.find(id);
      return !run || run->is_over();
    });
  };
  MaintenanceProgress next = progress;
  const auto step = silences::next_step(silence, next, round.now_ms, are_over);
  const bool looks_after = step == MaintenanceStep::ask_after || step == MaintenanceStep::end;
  if (looks_after && !are_back(silence, round)) return std::nullopt;
  progress = std::move(next);
  return step;
}

}  // namespace

notify::Notification maintenance_message(const Silence& silence, MaintenanceStep step,
                                         MaintenanceProgress& progress, const Surroundings& around) {
  const bool is_over = step == MaintenanceStep::end || step == MaintenanceStep::cancelled;
  notify::Notification note;
  note.kind = is_over ? notify::Kind::resolved : notify::Kind::firing;
  note.key = fmt::format("maintenance-{}-{}-{}", silence.id, progress.begin_ms,
                         step == MaintenanceStep::notice ? fmt::format("notice-{}", progress.noticed_ms)
                                                         : std::string(silences::to_string(step)));
  note.fingerprint = fmt::format("maintenance-{}-{}", silence.id, progress.begin_ms);
  note.rule_key = kMaintenanceKey;
  note.group = "maintenance";
  note.alert = "Maintenance";
  note.severity = "info";
  note.occasion = occasion_of(step);
  note.title = title_of(silence, step, progress);
  note.instance = host_of(silence);
  note.labels = Labels{{"alertname", "Maintenance"}, {"maintenance", silence.id}, {"severity", "info"}};
  // All of it in the summary: the one text that every channel shows, of what fires and of what is over.
  note.annotations.set("summary", fmt::format("{}\n{}", headline_of(silence, step, progress, around.now_ms),
                                              details_of(silence, step, progress, around)));
  note.annotations.set("value",
                       fmt::format("{} to {}", minute_text(progress.begin_ms), minute_text(progress.end_ms)));
  note.active_since_ms = note.fired_at_ms = std::min(progress.begin_ms, around.now_ms);
  if (is_over) note.resolved_at_ms = around.now_ms;
  return note;
}

void maintain(const MaintenanceRound& round) {
  const auto silences = round.silencing.book();
  const auto ended = [&round](std::int64_t since_ms) {
    std::vector<EndedAlert> out;
    const auto read =
        round.store.each_ended(since_ms, [&out](const EndedAlert& alert) { out.push_back(alert); });
    if (!read) log::warn("alerts", "cannot read what ended meanwhile", {{"error", read.error()}});
    return out;
  };
  silences->for_each([&](const Silence& silence) {
    if (!silence.maintenance) return;
    MaintenanceProgress progress = silence.progress;
    while (const auto step = step_of(silence, progress, round)) {
      log::info(
          "alerts", "maintenance",
          {{"id", silence.id}, {"title", silence.maintenance->title}, {"step", silences::to_string(*step)}});
      if (*step == MaintenanceStep::ask_before || *step == MaintenanceStep::ask_after) {
        const bool is_before = *step == MaintenanceStep::ask_before;
        (is_before ? progress.runs_before : progress.runs_after) = ask_for(
            is_before ? silence.maintenance->run_before : silence.maintenance->run_after, silence, round);
        continue;
      }
      const auto note = maintenance_message(silence, *step, progress,
                                            {round.book, ended, round.ask, round.acting, round.now_ms});
      round.receivers.tell(silence.maintenance->receivers, note, round.now_ms, round.ledger);
    }
    if (progress == silence.progress) return;
    round.silencing.note_progress(silence.id, progress);
    round.ledger.note_silence(silence.id);
  });
}

std::vector<std::string> untold(const silences::SilenceBook& silences,
                                const std::vector<std::string>& receivers, std::int64_t now_ms) {
  std::vector<std::string> out;
  silences.for_each([&](const Silence& silence) {
    if (!silence.maintenance || silence.state_at(now_ms) == silences::State::expired) return;
    for (const std::string& name : silence.maintenance->receivers) {
      if (std::ranges::find(receivers, name) != receivers.end()) continue;
      out.push_back(fmt::format("maintenance {} ({}) is to be told to {}, and there is no such receiver",
                                silence.id, silence.maintenance->title, name));
    }
  });
  return out;
}

}  // namespace vigil::alerts
