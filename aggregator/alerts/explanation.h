// Why an alert is as it is: what happened to it, what holds its messages back, who was told, and what comes
// next, as a list of events. Pure; made for whoever asks.
#pragma once

#include "aggregator/actions/run.h"
#include "aggregator/alerts/alert.h"
#include "aggregator/alerts/escalation.h"
#include "aggregator/alerts/grouping.h"
#include "aggregator/alerts/inhibition.h"
#include "aggregator/alerts/listing.h"
#include "aggregator/alerts/meta_store.h"
#include "aggregator/notify/notifier.h"
#include "aggregator/silences/silence_book.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::alerts {

/// One line of an explanation.
struct Event {
  enum class Kind : std::uint8_t {
    holds,             // its condition is true since then; `text`: the expression, unless it is over
    will_fire,         // should it hold until then; `text`: for how long in all
    fires,             // `text`: how long it had to hold
    no_data,           // since then nothing is known, and the state stays
    unheard,           // since then nothing was heard of its host
    flaps,             // since then it counts as flapping; `text`: by which measure
    stays,             // false since then, and firing on by keep_firing_for or clear; `text`: how long
    over,              // `text`: why, when not because the condition is false
    acknowledged,      // `by`: who looks after it; `text`: the comment
    silenced,          // until then, 0: nobody knows; `by`: the silence's id; `text`: its author and comment
    maintenance,       // a silence that is one: the same, behind its title
    maintenance_over,  // then one ended that held its messages back; `by`: its id; `text`: what its end said
    inhibited,         // `by`: the alert that holds its messages back; `text`: by which rule
    told,              // that it fires, `by`: the receiver; `text`: the group; with when it arrived
    told_again,        // the last time; `text`: how often in all
    escalated,         // that it fires and nobody came
    told_over,         // that it is over
    waits,             // to be told since then; the same, what keeps the message waiting, and its attempts
    given_up,          // it was to be told then, and never arrived; the same
    will_be_told,      // at the earliest, 0: when nothing holds it back any more; the same
    will_be_repeated,  // the same
    not_told,          // `by`: a receiver that hears nothing of it; `text`: why
    will_escalate,     // `by`: the receiver, if nobody acknowledges it until then; 0 likewise
    action             // one that was asked for; `by`: its name; `text`: what became of it
  };
  Kind kind = Kind::holds;
  std::int64_t at_ms = 0;
  std::string by;
  std::string text;
  std::int64_t arrived_ms = 0;       // of what was told: when the receiver took it; 0: nobody knows
  int attempts = 0;                  // of what waits or was given up: those that failed
  std::int64_t next_attempt_ms = 0;  // of what waits: when the next one is due; 0: as soon as it may
};
/// "holds", "will_fire", ...: as in the API.
std::string_view to_string(Event::Kind kind);

struct Explanation {
  AlertInfo alert;
  std::vector<Event> events;  // by time; those without one last
};

/// What an explanation is made of.
struct Circumstances {
  const silences::SilenceBook& silences;
  const Inhibition::Source* inhibitor = nullptr;  // what holds it back, but for rules of alertmanager.yml
  const Grouping& grouping;
  const AlertBook& book;
  const std::vector<notify::ReceiverStats>& receivers;
  std::vector<NextTelling> escalations;
  std::vector<actions::Run> runs;        // of the alert
  std::vector<Undelivered> undelivered;  // messages about it
  std::vector<Telling> tellings;         // what was told of it
  std::int64_t now_ms = 0;
};
/// Puts one to where its time is.
void add_event(Event event, std::vector<Event>& events);

/// Of one that is pending or fires.
std::vector<Event> explain(const Alert& alert, const Circumstances& circumstances);
/// Of one that is over.
std::vector<Event> explain(const AlertInfo& resolved, const Circumstances& circumstances);

}  // namespace vigil::alerts
