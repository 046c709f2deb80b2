#include "aggregator/alerts/receivers.h"
#include "aggregator/alerts/service.h"
#include "common/log/log.h"
#include "common/wire/names.h"

namespace vigil::alerts {
namespace {

Error not_stored() {
  return fail(Errc::io, "nothing is changed, since the aggregator could not store it: see its log");
}

}  // namespace

void Service::action_ended(std::string run, actions::Outcome outcome) {
  worker_.insist([this, run = std::move(run), outcome = std::move(outcome)]() mutable {
    acting_.end(run, std::move(outcome), options_.now_ms());
    acting_.step(options_.now_ms());  // another one may begin
    commit();
  });
}

/// One that is over may be forgotten at once.
actions::Run Service::as_it_is(const actions::Run& run) const {
  return acting_.find(run.id).value_or(run);
}

void Service::run_action(actions::Order order, std::function<void(Result<actions::Run>)> done) {
  worker_.insist([this, order = std::move(order), done = std::move(done)] {
    const std::int64_t now = options_.now_ms();
    auto run = acting_.ask(order, now);
    acting_.step(now);
    if (!commit() && run) {
      acting_.undo_ask(run->id, now);
      run = not_stored();
    }
    if (run) run = as_it_is(*run);
    done(std::move(run));
  });
}

void Service::decide_run(std::string id, actions::Decision decision,
                         std::function<void(Result<actions::Run>)> done) {
  worker_.insist([this, id = std::move(id), decision = std::move(decision), done = std::move(done)] {
    auto run = acting_.decide(id, decision, options_.now_ms());
    acting_.step(options_.now_ms());
    if (!commit() && run) {
      acting_.undo_decision(run->id);
      run = not_stored();
    }
    if (run) run = as_it_is(*run);
    done(std::move(run));
  });
}

void Service::reload(Reloaded reloaded, std::function<void()> adopted) {
  worker_.insist([this, reloaded = std::move(reloaded), adopted = std::move(adopted)] {
    Transitions gone;
    rules::KnownAlertsPtr moved;
    {
      const std::lock_guard lock(mutex_);
      if (reloaded.routing && grouping_.is_on()) {
        grouping_.adopt(reloaded.routing);
        grouping_.join(book_, options_.now_ms());
      }
      if (reloaded.actions) acting_.adopt(reloaded.actions, options_.now_ms());
      adopt(reloaded.rules);
      gone = book_.adopt(*rules_, options_.now_ms());
      moved = book_.moved();
    }
    settle(gone);
    if (reloaded.moved && !moved->empty()) reloaded.moved(std::move(moved));
    if (adopted) adopted();
  });
}

void Service::forget_host(std::string instance) {
  worker_.insist([this, instance = std::move(instance)] {
    drain();
    forgotten_[instance] = options_.now_ms();
    Transitions gone;
    {
      const std::lock_guard lock(mutex_);
      gone = book_.forget_host(instance, options_.now_ms());
    }
    settle(gone);
  });
}

/// Whether everybody and everything that a plan names is there.
Result<void> Service::know_all(const silences::MaintenancePlan& plan) const {
  if (auto known = Receivers(grouping_, notifier_).know(plan.receivers); !known) return known;
  std::vector<std::string> names;
  for (const auto* wanted : {&plan.run_before, &plan.run_after}) {
    for (const std::string& text : *wanted) {
      const silences::PlannedAction planned = silences::planned_action(text);
      if (text.ends_with('@') || (!planned.host.empty() && !wire::valid_host_name(planned.host)))
        return fail(Errc::invalid_argument, "{}: what stands behind @ is no name of a host", text);
      names.push_back(planned.name);
    }
  }
  return acting_.know(names);
}

void Service::put_silence(silences::Silence silence, std::function<void(Result<std::string>)> done) {
  worker_.insist([this, silence = std::move(silence), done = std::move(done)] {
    const auto known = silence.maintenance ? know_all(*silence.maintenance) : Result<void>();
    auto id = known ? silencing_.put(silence, options_.now_ms()) : Result<std::string>(known.error());
    if (id) log::info("alerts", "silence set", {{"id", *id}, {"author", silence.author}});
    done(std::move(id));
  });
}

void Service::expire_silence(std::string id, std::function<void(Result<void>)> done) {
  worker_.insist([this, id = std::move(id), done = std::move(done)] {
    auto ended = silencing_.expire(id, options_.now_ms());
    if (ended) log::info("alerts", "silence ended", {{"id", id}});
    done(std::move(ended));  // it is on the disk; what follows may ask the storage
    maintain();
    announce();
    acting_.step(options_.now_ms());
    tell_groups();
    commit();
  });
}

void Service::explain(std::string id, std::function<void(Result<Explanation>)> done) {
  worker_.insist([this, id = std::move(id), done = std::move(done)] { done(explanation_of(id)); });
}

void Service::acknowledge(std::string id, Acknowledgement by, std::function<void(Result<void>)> done) {
  worker_.insist([this, id = std::move(id), by = std::move(by), done = std::move(done)] {
    done(take_acknowledgement(id, by));
  });
}

Result<void> Service::take_acknowledgement(const std::string& id, Acknowledgement by) {
  const auto found = find(id);
  if (!found) return found.error();
  by.at_ms = by.author.empty() ? 0 : options_.now_ms();
  Acknowledgement before;
  {
    const std::lock_guard lock(mutex_);
    Alert* alert = book_.find(found->fingerprint);
    if (alert == nullptr || alert->state != State::firing)
      return fail(Errc::conflict, "{} is {}: only what fires can be acknowledged", found->name,
                  to_string(found->state));
    before = std::exchange(alert->acknowledgement, by);
  }
  ledger_.note(found->fingerprint);
  if (commit()) {
    log::info(
        "alerts", by ? "alert acknowledged" : "acknowledgement withdrawn",
        {{"alert", found->name}, {"id", found->fingerprint}, {"author", by ? by.author : before.author}});
    return {};
  }
  const std::lock_guard lock(mutex_);
  if (Alert* alert = book_.find(found->fingerprint)) alert->acknowledgement = before;
  return not_stored();
}

}  // namespace vigil::alerts
