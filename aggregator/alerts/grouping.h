// Groups of alertmanager.yml as the alert service keeps them: which there are, what they are told, and their
// rows in meta.db. Without such a file nothing is grouped. Belongs to the alert service's worker.
#pragma once

#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/listing.h"
#include "aggregator/alerts/meta_store.h"
#include "aggregator/notify/notification.h"
#include "aggregator/routing/configuration.h"
#include "aggregator/routing/group_book.h"
#include "common/error.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::alerts {

/// What alertmanager.yml says, as far as alerts are concerned.
struct Routing {
  routing::Configuration configuration;
  routing::Channels channels;
  /// The name an endpoint of the notifier has for a channel of a receiver.
  std::function<std::string(std::string_view receiver, std::string_view channel)> endpoint_name;
};
using RoutingPtr = std::shared_ptr<const Routing>;

/// What one channel was told of an alert within one group, and will be.
struct GroupTelling {
  std::string endpoint;
  std::string group_key;
  std::int64_t told_ms = 0;     // of the group's last message to it that knew the alert; 0: there is none
  bool has_news = false;        // it does not know how the alert is now
  std::int64_t next_ms = 0;     // when its group is looked at next
  std::int64_t repeat_ms = 0;   // when it is told again what it knows; 0: never, the alert is over
  std::string mute;             // what keeps the route silent now, and until when; "": nothing
  std::int64_t unmuted_ms = 0;  // when that ends; 0: nobody can tell
};

/// What holds an alert's messages back by a rule of alertmanager.yml.
struct GroupInhibitor {
  std::string alert;  // its name
  std::string rule;
  std::string fingerprint;
};

/// A receiver that routes lead an alert to, and why it hears nothing of it.
struct NotTold {
  std::string receiver;
  std::string why;
};

/// A step of a route that takes an alert: whom it goes to when nobody comes.
struct RouteEscalation {
  routing::Escalation step;
  std::string first;        // the route's receiver, which is to be told before
  bool takes_first = true;  // false: that one hears of no such alert
};

class Grouping {
 public:
  explicit Grouping(RoutingPtr routing);

  bool is_on() const { return routing_ != nullptr; }
  const RoutingPtr& routing() const { return routing_; }

  /// Puts back what is stored; before anything fires. Rows that cannot be read are left out and counted in
  /// damaged().
  void restore(const std::vector<StoredGroup>& groups);
  std::size_t damaged() const { return damaged_; }
  /// Every alert of the book that fires joins its groups; members that the book does not know are over.
  void join(const AlertBook& book, std::int64_t now_ms);

  /// The clock went back: see GroupBook.
  void forget_future(std::int64_t now_ms);
  /// The file changed; not null, and not where nothing is grouped. Then join() again.
  void adopt(RoutingPtr routing);

  void fire(const Alert& alert, std::int64_t now_ms);
  /// `external_url` is the dashboard's; "" for no link.
  void resolve(const Alert& alert, std::string_view external_url);
  /// See GroupBook.
  void tell_again(const std::string& fingerprint);

  /// Whether some group is to be looked at.
  bool is_due(std::int64_t now_ms) const;
  /// The messages of groups that are due, one for each channel; where is_due(). `is_held`: silenced, or
  /// inhibited by what is no rule of alertmanager.yml.
  std::vector<notify::Row> flush(const AlertBook& book, std::int64_t now_ms, std::string_view external_url,
                                 const std::function<bool(const Alert&)>& is_held);

  /// The message for each channel of a receiver of alertmanager.yml: of what belongs to no route. None when
  /// there is no such receiver.
  std::vector<notify::Row> rows_to(const std::string& receiver, const notify::Notification& note,
                                   std::int64_t now_ms) const;

  /// What is known of one alert, group by group.
  std::vector<GroupTelling> tellings(const std::string& fingerprint, bool is_repeated,
                                     std::int64_t now_ms) const;
  std::optional<GroupInhibitor> inhibitor_of(const Alert& alert, const AlertBook& book) const;
  /// Those of them that nobody is told of now, since an inhibition rule or the calendars of all routes to
  /// receivers that take them hold them back.
  std::set<std::string> held_among(const std::set<std::string>& fingerprints, const AlertBook& book,
                                   std::int64_t now_ms) const;
  /// Fills in `inhibited_by` and `inhibitor` of firing ones that a rule of alertmanager.yml holds back.
  void mark_inhibited(std::vector<AlertInfo>& alerts, const AlertBook& book) const;

  /// Whom the routes that take an alert with these labels, and are not muted, escalate it to; but for
  /// receivers that are told of none like it.
  std::vector<RouteEscalation> escalations_of(const Labels& labels, std::int64_t now_ms) const;
  /// When a group of this receiver told somebody that the alert fires, the latest message of each channel;
  /// nothing before the first.
  std::optional<std::int64_t> told_ms(const std::string& fingerprint, std::string_view receiver) const;

  /// Whether something of the group with this key that a receiver is told of fires.
  bool is_firing(std::string_view receiver, std::string_view group_key) const;
  /// Names in a group's message what it had no room for and fires still, as far as there is room now.
  void name_left_out(notify::Row& row, const AlertBook& book, std::string_view external_url) const;

  /// The groups it is in.
  std::vector<GroupPlace> places_of(const std::string& fingerprint) const;

  /// Names of all receivers of the file.
  std::vector<std::string> receivers() const;

  /// Of the receivers that routes lead an alert with these labels to, at once or late, those that are told of
  /// none like it.
  std::vector<NotTold> not_told(const Labels& labels) const;

  /// Names of the receivers whose routes take an alert with these labels.
  std::vector<std::string> receivers_of(const Labels& labels) const;

  /// Ids of the groups that changed since the last call.
  std::set<std::string> take_changed();
  /// As it is to be stored; nothing when it is over.
  std::optional<StoredGroup> stored(const std::string& id) const;

 private:
  std::optional<notify::Row> row_of(const routing::GroupMessage& message, const AlertBook& book,
                                    std::int64_t now_ms, std::string_view external_url) const;
  bool is_hushed(const Labels& labels, std::int64_t now_ms) const;
  std::string why_not_told(std::string_view receiver, const Labels& labels) const;
  std::vector<std::string> told_firing(const notify::Row& row) const;
  void forget_told();
  void note_escalations();

  RoutingPtr routing_;  // null: nothing is grouped
  std::optional<routing::GroupBook> book_;
  std::map<std::string, notify::Notification> ended_;  // by fingerprint: over, and somebody is to be told
  std::size_t damaged_ = 0;
  bool escalates_ = false;  // some route does
};

}  // namespace vigil::alerts
