#include "aggregator/alerts/acting.h"

#include "aggregator/alerts/ids.h"
#include "aggregator/promql/literals.h"
#include "aggregator/rules/rewrite.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::alerts {
namespace {

constexpr std::size_t kMostAsked = 20;  // runs of which the storage is asked in one round

using actions::Run;

actions::Subject subject_of(const Alert& alert) {
  return {std::string(alert.instance()),
          alert.fingerprint,
          std::string(alert.labels.get("alertname")),
          alert.labels,
          alert.annotations,
          alert.value};
}

Labels without_name(const Labels& labels) {
  Labels out = labels;
  out.set(kMetricName, "");
  return out;
}

/// As it may stand within either kind of quotes of PromQL.
std::string within_quotes(std::string_view value) {
  std::string quoted = promql::quote(value);
  std::string out;
  for (const char c : std::string_view(quoted).substr(1, quoted.size() - 2))
    out += c == '\'' ? std::string("\\x27") : std::string(1, c);
  return out;
}

std::string names_of(const std::vector<actions::ActionConfig>& actions) {
  std::vector<std::string> names;
  names.reserve(actions.size());
  for (const actions::ActionConfig& action : actions) names.push_back(action.name);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

void log_run(std::string_view what, const Run& run) {
  log::info("actions", what,
            {{"action", run.action},
             {"run", run.id},
             {"alert", run.subject.alert},
             {"host", run.subject.host},
             {"state", actions::to_string(run.state)},
             {"reason", run.reason}});
}

}  // namespace

Result<void> check_actions(const rules::RuleSet& rules, const std::vector<actions::ActionConfig>& actions) {
  config::Problems problems;
  for (const rules::RulePtr& rule : rules.rules()) {
    for (const rules::WantedAction& wanted : rule->extras.actions) {
      if (std::ranges::find(actions, wanted.name, &actions::ActionConfig::name) != actions.end()) continue;
      problems.add(
          Error{Errc::invalid_argument, fmt::format("{}no action is called {}; the configuration has {}",
                                                    wanted.where, wanted.name, names_of(actions))});
    }
  }
  return problems.result();
}

Result<void> Acting::restore(MetaStore& store, std::int64_t now_ms) {
  auto rows = store.runs();
  if (!rows) return rows.error();
  std::vector<Run> runs;
  for (StoredRun& row : *rows) {
    auto run = actions::decode_run(row.body);
    if (!run) {
      ++damaged_;
      continue;
    }
    run->id = std::move(row.id);
    runs.push_back(std::move(*run));
  }
  book_.restore(std::move(runs), now_ms);
  return {};
}

void Acting::adopt(actions::ActionsPtr actions, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  book_.adopt(std::move(actions), now_ms);
}

void Acting::fire(const Alert& alert, std::int64_t now_ms) {
  {
    const std::lock_guard lock(mutex_);
    book_.end_waiting(alert.fingerprint, actions::Trigger::resolved, now_ms);
  }
  want(alert, false, now_ms);
}

void Acting::resolve(const Alert& alert, std::int64_t now_ms) {
  {
    const std::lock_guard lock(mutex_);
    book_.end_waiting(alert.fingerprint, actions::Trigger::firing, now_ms);
  }
  // A rule that was removed, or a host that left, is no reason to undo anything.
  if (alert.reason.empty()) want(alert, true, now_ms);
}

void Acting::want(const Alert& alert, bool on_resolved, std::int64_t now_ms) {
  for (const rules::WantedAction& wanted : alert.rule->extras.actions) {
    if (wanted.on_resolved != on_resolved) continue;
    actions::Order order;
    order.action = wanted.name;
    order.trigger = on_resolved ? actions::Trigger::resolved : actions::Trigger::firing;
    order.subject = subject_of(alert);
    order.effect = rules::compared(*alert.rule->expr);
    if (const auto run = ask(order, now_ms); !run)
      log::warn("actions", "an action cannot be run", {{"error", run.error()}});
  }
}

/// What tells whether it helped: as the action says, else what the rule compares.
std::string Acting::effect_of(const actions::ActionConfig& action, const actions::Order& order,
                              std::int64_t now_ms) {
  const auto text = rules::Template::parse(action.effect);
  if (action.effect.empty() || !text) return order.effect;
  Labels labels;
  for (const LabelView& label : order.subject.labels) labels.set(label.name, within_quotes(label.value));
  if (!order.subject.host.empty()) labels.set("instance", within_quotes(order.subject.host));
  const Labels none;
  const auto expanded = text->expand({labels, order.subject.value, none, {}, now_ms, nullptr});
  return expanded ? *expanded : std::string();
}

Result<Run> Acting::ask(actions::Order order, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (const actions::ActionConfig* action = book_.action(order.action))
    order.effect = effect_of(*action, order, now_ms);
  auto run = book_.ask(order, new_id(), now_ms);
  if (run) log_run("action asked for", *run);
  return run;
}

void Acting::undo_ask(const std::string& id, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  book_.undo_ask(id, now_ms);
}

void Acting::undo_decision(const std::string& id) {
  const std::lock_guard lock(mutex_);
  book_.undo_decision(id);
}

Result<Run> Acting::decide(const std::string& id, const actions::Decision& decision, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  auto run = book_.decide(id, decision, now_ms);
  if (run) log_run(decision.approve ? "action approved" : "action rejected", *run);
  return run;
}

void Acting::end(const std::string& id, actions::Outcome outcome, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (const Run* run = book_.end(id, std::move(outcome), now_ms)) log_run("action ended", *run);
}

void Acting::step(std::int64_t now_ms) {
  std::vector<Run> began;
  {
    const std::lock_guard lock(mutex_);
    book_.expire(now_ms);
    if (is_held_) return;
    for (const std::string& id : book_.begin_due(now_ms)) began.push_back(*book_.find(id));
  }
  // The storage is asked without the lock, and of a mass of runs not about each.
  std::size_t asked = 0;
  for (const Run& run : began) {
    const auto value = asked++ < kMostAsked ? value_of(run, now_ms) : std::nullopt;
    const std::lock_guard lock(mutex_);
    book_.note_before(run.id, value);
    beginning_.push_back(run.id);
  }
}

void Acting::measure(std::int64_t now_ms) {
  std::vector<Run> due;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& id : book_.measurable(now_ms, kMostAsked)) due.push_back(*book_.find(id));
  }
  for (const Run& run : due) {
    const auto value = value_of(run, now_ms);
    const std::lock_guard lock(mutex_);
    book_.note_after(run.id, value);
  }
}

/// The value of its effect for what it is about: of the one sample whose labels the alert has, or that is the
/// host's.
std::optional<double> Acting::value_of(const Run& run, std::int64_t now_ms) const {
  if (run.effect.empty() || !ask_) return std::nullopt;
  const auto samples = ask_(run.effect, now_ms);
  if (!samples) {
    log::warn("actions", "the effect of an action cannot be asked for",
              {{"action", run.action}, {"error", samples.error()}});
    return std::nullopt;
  }
  std::optional<double> of_host;
  std::size_t hosts = 0;
  for (const auto& [labels, value] : *samples) {
    const Labels own = without_name(labels);
    const bool fits = std::all_of(own.begin(), own.end(), [&run](const LabelView& label) {
      return run.subject.labels.get(label.name) == label.value;
    });
    if (fits) return value;
    if (run.subject.host.empty() || own.get("instance") != run.subject.host) continue;
    of_host = value;
    ++hosts;
  }
  return hosts == 1 ? of_host : std::nullopt;
}

void Acting::put(Ledger::Company& company) {
  const std::lock_guard lock(mutex_);
  unstored_.merge(book_.take_changed());
  forgotten_.merge(book_.take_forgotten());
  for (const std::string& id : unstored_) {
    if (const Run* run = book_.find(id)) company.runs.push_back({id, run->created_ms, actions::encode(*run)});
  }
  company.forgotten_runs.assign(forgotten_.begin(), forgotten_.end());
}

void Acting::stored() {
  std::vector<std::pair<actions::ActionConfig, Run>> ready;
  unstored_.clear();
  forgotten_.clear();
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& id : std::exchange(beginning_, {})) {
      const Run* run = book_.find(id);
      const actions::ActionConfig* action = run == nullptr ? nullptr : book_.action(run->action);
      if (action != nullptr && run->state == actions::RunState::running) ready.emplace_back(*action, *run);
    }
  }
  for (const auto& [action, run] : ready) {
    log_run("action begins", run);
    if (!perform_ || perform_(action, run)) continue;
    const std::lock_guard lock(mutex_);  // nobody carries it out any more: the next run of this program does
    book_.take_back(run.id);
  }
}

void Acting::refused() {
  const std::lock_guard lock(mutex_);
  for (const std::string& id : std::exchange(beginning_, {})) book_.take_back(id);
}

void Acting::tell(const std::string& fingerprint, std::int64_t fired_at_ms,
                  std::vector<notify::Evidence>& evidence) const {
  notify::Evidence table{std::string(notify::kActionsTitle), {}};
  {
    const std::lock_guard lock(mutex_);
    for (const Run* run : book_.of_alert(fingerprint)) {
      if (run->created_ms >= fired_at_ms) table.rows.push_back({run->action, actions::entry_of(*run)});
    }
  }
  std::erase_if(evidence, [](const notify::Evidence& shown) { return shown.title == notify::kActionsTitle; });
  if (!table.rows.empty()) evidence.insert(evidence.begin(), std::move(table));
}

std::set<std::string> Acting::touched() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> out;
  for (const std::string& id : book_.changed()) {
    if (const Run* run = book_.find(id); run != nullptr && !run->subject.fingerprint.empty())
      out.insert(run->subject.fingerprint);
  }
  return out;
}

Result<void> Acting::know(const std::vector<std::string>& names) const {
  const std::lock_guard lock(mutex_);
  for (const std::string& name : names) {
    if (book_.action(name) == nullptr)
      return fail(Errc::invalid_argument, "no action is called {}; the configuration has {}", name,
                  names_of(book_.actions()));
  }
  return {};
}

std::optional<Run> Acting::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const Run* run = book_.find(id);
  return run == nullptr ? std::nullopt : std::optional<Run>(*run);
}

std::vector<Run> Acting::select(const actions::RunQuery& query) const {
  const std::lock_guard lock(mutex_);
  return book_.select(query);
}

std::map<std::string, actions::RunFigures> Acting::figures() const {
  const std::lock_guard lock(mutex_);
  return book_.figures();
}

std::vector<Run> Acting::of_alert(const std::string& fingerprint) const {
  const std::lock_guard lock(mutex_);
  std::vector<Run> out;
  for (const Run* run : book_.of_alert(fingerprint)) out.push_back(*run);
  return out;
}

std::vector<actions::ActionConfig> Acting::actions() const {
  const std::lock_guard lock(mutex_);
  return book_.actions();
}

}  // namespace vigil::alerts
