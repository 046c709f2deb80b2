// The queue of one receiver: what to send next, and what a success or a failure means for the rest. Pure:
// times come in as arguments.
//
// Order is kept per alert, and per group of alerts: nothing overtakes an earlier message about the same, or
// is given up before it. Rows stay in the lane until they are delivered or dead. Of a group all that wait go
// out as one message. What belongs to a thread goes there, and never into a digest.
#pragma once

#include "aggregator/notify/notification.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace vigil::notify {

/// More messages of one rule than this, waiting together or sent within a minute, become a digest.
inline constexpr std::size_t kDigestAbove = 20;

struct LaneOptions {
  std::int64_t give_up_after_ms = 86'400'000;
  int burst = 0;  // messages that may go out at once, then one every so often; 0: no limit
  std::int64_t every_ms = 1'000;
};

/// What goes out as one message: one row, a digest of rows of one rule and kind, or the rows of one group,
/// oldest first.
struct Shipment {
  std::vector<Row> rows;
  std::optional<MessageThread> thread{};  // of the alert or group that the rows are about
  /// One key for every attempt: the row's own, or one made of all the rows' keys.
  std::string key() const;
  /// Groups without alerts only: nothing that could be told.
  bool is_empty() const;
};

enum class FailureKind : std::uint8_t {
  away,    // the receiver: network, timeout, 5xx, 429, credentials; nothing else would get through either
  refused  // this message: other 4xx, SMTP 5xx
};

struct Failure {
  FailureKind kind = FailureKind::away;
  std::string error;
  std::int64_t retry_after_ms = 0;  // as the receiver asks; 0: it does not say
};

class Lane {
 public:
  explicit Lane(LaneOptions options) : options_(options), tokens_(options.burst) {}

  void enqueue(Row row);
  /// What messages about this fingerprint go on from, from now on.
  void remember(const ThreadChange& thread);

  /// What may be sent now; nothing when nothing is due. The caller reports back before it asks again.
  std::optional<Shipment> next(std::int64_t now_ms);

  Delivery delivered(const Shipment& shipment, std::int64_t now_ms);
  /// Not sent: it could not be.
  Delivery give_up(const Shipment& shipment, std::string why);
  /// `random` from 0 to 1. At most one Delivery postpones, at most one declares dead: by `patient_ms`, the
  /// clock by which things get old, where it is not `now_ms`.
  std::vector<Delivery> failed(const Shipment& shipment, const Failure& failure, std::int64_t now_ms,
                               double random, std::optional<std::int64_t> patient_ms = {});

  /// When to ask next() again, if nothing else happens; nothing when the lane is empty.
  std::optional<std::int64_t> wake_ms(std::int64_t now_ms) const;
  std::size_t size() const { return rows_.size(); }
  /// All rows, and all threads, for another lane.
  std::vector<Row> take_all();
  const std::map<std::string, MessageThread>& threads() const { return threads_; }

 private:
  std::size_t sent_within_a_minute(const std::string& rule, std::int64_t now_ms);
  std::vector<Row> gather(const Row& first, std::int64_t now_ms) const;
  std::vector<Row> all_of_group(const Row& first) const;
  std::optional<Shipment> worst_group(std::int64_t now_ms) const;
  std::optional<MessageThread> thread_of(const Row& row) const;
  void remove(const std::vector<Row>& rows);
  void forget(const Row& row);
  void refill(std::int64_t now_ms);
  void forget_future(std::int64_t now_ms);
  std::vector<std::int64_t> bury_old(std::int64_t now_ms);

  const LaneOptions options_;
  std::deque<Row> rows_;
  std::unordered_map<std::string, std::size_t> rows_about_;         // by fingerprint
  std::map<std::string, MessageThread> threads_;                    // by fingerprint
  std::unordered_map<std::string, std::deque<std::int64_t>> sent_;  // by rule: times of single messages
  std::int64_t away_since_ms_ = 0;
  std::int64_t away_until_ms_ = 0;
  int failures_in_a_row_ = 0;
  double tokens_;
  std::int64_t refilled_ms_ = 0;
};

}  // namespace vigil::notify
