// When which group of alerts is told to whom: a pure state machine. Alerts and times go in, messages come
// out; it knows no clock, no disk and nobody to tell. Owned by whoever owns the alerts.
//
//   an alert fires        its group waits group_wait for others, unless the alert fired that long ago already
//   then, every           what changed is one message: alerts that fire and were not told, and those that
//   were told
//     group_interval      and are resolved; it lists all of the group that fire
//   nothing changed       nothing is sent until repeat_interval after the last message, while something fires
//   no alert is left      the group is forgotten
//
// Each channel of a receiver is told by itself, for not all take resolved alerts. Three things are better
// than in Alertmanager, where they lose messages: who was told of an alert is told that it is resolved also
// when it is silenced or inhibited by then, when its labels lead elsewhere by then, and, as soon as it is
// over, when the route is muted by its calendar; and an alert that was resolved and fires again is told again
// also to a channel that does not take resolved alerts.
//
// States are values that are stored in the transaction that stores the messages: a restart in between repeats
// nothing and forgets nothing.
#pragma once

#include "aggregator/routing/group_state.h"
#include "aggregator/routing/route.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vigil::routing {

struct Channel {
  std::string name;  // within its receiver, "slack[0]"
  bool send_resolved = true;
  bool critical_only = false;  // told of alerts with severity="critical", and of the end of what it was told
  /// 0: told again as its route says. Otherwise at least so often while anything fires, whoever looks after
  /// it: it forgets what it does not hear of.
  std::chrono::milliseconds remind{0};
};
using Channels = std::map<std::string, std::vector<Channel>, std::less<>>;  // by receiver

/// Which alerts a receiver is told of.
enum class Reach : std::uint8_t { all, critical_only, nobody };
Reach reach_of(std::string_view receiver, const Channels& channels);
/// Of Reach::nobody: "told to nobody: receiver og has no channel vigil can use".
std::string nobody_text(std::string_view receiver);

enum class Occasion : std::uint8_t { changed, repeated };

struct GroupMessage {
  std::string group;  // the state's id()
  std::string group_key;
  std::string receiver;
  std::string channel;
  Labels labels;
  Occasion occasion = Occasion::changed;
  std::vector<std::string> firing;    // fingerprints, sorted
  std::vector<std::string> again;     // of those: what tell_again() asked for; the same
  std::vector<std::string> resolved;  // the same
  friend bool operator==(const GroupMessage&, const GroupMessage&) = default;
};

/// What holds messages back now.
struct Holds {
  std::function<bool(const std::string& fingerprint)> alert;  // silenced or inhibited; may be empty
  std::function<bool(const Route& route)> route;              // muted by its calendars; may be empty
  /// Whether an alert is told of again while nothing changes: not when somebody looks after it. May be empty:
  /// then all are.
  std::function<bool(const std::string& fingerprint)> repeats{};
};

class GroupBook {
 public:
  /// `root` must outlive the book, or its next adopt().
  GroupBook(const Route& root, Channels channels) { adopt(root, std::move(channels)); }

  /// Another configuration. Groups of routes that are gone only wait to say that what they told is over, to
  /// the receiver they told. Every firing alert is then put in again.
  void adopt(const Route& root, Channels channels);
  /// Puts back what was stored. Before the first alert.
  void restore(GroupState group);
  /// The clock went back, perhaps while nothing ran: times that lie ahead of what they can be are now.
  void forget_future(std::int64_t now_ms);

  /// It fires, since `since_ms`, with these labels. The same again changes nothing.
  void fire(const std::string& fingerprint, const Labels& labels, std::int64_t since_ms, std::int64_t now_ms);
  void resolve(const std::string& fingerprint);
  /// It fires on, and there is something new to say of it: each channel that was told of it is told again, at
  /// its group's next time.
  void tell_again(const std::string& fingerprint);

  /// Messages that are due.
  std::vector<GroupMessage> flush(std::int64_t now_ms, const Holds& holds);
  /// When flush() next has something to look at.
  std::optional<std::int64_t> wake_ms() const { return wake_ms_; }

  /// Ids of the groups that changed since the last call; those that find() does not know any more are over.
  std::set<std::string> take_changed();
  const GroupState* find(const std::string& id) const;
  /// Those the alert is in.
  std::vector<const GroupState*> groups_of(const std::string& fingerprint) const;
  /// Whether the alert is in any group.
  bool contains(const std::string& fingerprint) const;
  /// Whether a channel is told when it fires.
  bool wants(const Channel& channel, const std::string& fingerprint) const {
    return !channel.critical_only || critical_.contains(fingerprint);
  }
  void for_each(const std::function<void(const GroupState&)>& visit) const;
  std::size_t size() const { return groups_.size(); }

 private:
  const Route* route_of(const GroupState& group) const;
  void join(const std::string& id, const std::string& fingerprint);
  bool leave(const std::string& id, const std::string& fingerprint);
  void tell(GroupState& group, std::int64_t now_ms, const Holds& holds, std::vector<GroupMessage>& out);
  std::optional<GroupMessage> message(GroupState& group, const Channel& channel,
                                      std::vector<std::string> firing, const Holds& holds,
                                      std::int64_t now_ms);
  void forget_ended(GroupState& group);
  void wake_at(std::int64_t t_ms) { wake_ms_ = std::min(wake_ms_.value_or(t_ms), t_ms); }

  const Route* root_ = nullptr;
  std::unordered_map<std::string, const Route*> routes_;  // by id
  Channels channels_;
  std::map<std::string, GroupState> groups_;                          // by id
  std::unordered_map<std::string, std::set<std::string>> groups_of_;  // fingerprint -> ids
  std::set<std::string> critical_;  // those of groups_of_ with severity="critical" when they last fired
  std::set<std::string> changed_;
  std::optional<std::int64_t>
      wake_ms_;  // the earliest next_ms of groups_, asked for far more often than it changes
};

}  // namespace vigil::routing
