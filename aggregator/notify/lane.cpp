#include "aggregator/notify/lane.h"

#include "aggregator/notify/retry.h"
#include "common/fnv1a.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>

namespace vigil::notify {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kDigestWaitMs = 10'000;  // how long a rule that talks too much collects for its digest
constexpr std::size_t kLargestDigest = 500;

std::string digest_key(const std::vector<Row>& rows) {
  std::uint64_t hash = kFnvBasis;
  for (const Row& row : rows) hash = fnv1a(hash, row.note.key);
  return fmt::format("{:016x}-{}-digest", hash, rows.size());
}

/// Rows that were taken from a lane, to find them there again: by their ids, as two messages may have one
/// key. What could not be stored has no id.
class TakenRows {
 public:
  explicit TakenRows(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      if (row.id != 0) ids_.insert(row.id);
      if (row.id == 0) keys_.insert(row.note.key);
    }
  }
  bool contains(const Row& row) const {
    return row.id != 0 ? ids_.contains(row.id) : keys_.contains(row.note.key);
  }

 private:
  std::unordered_set<std::int64_t> ids_;
  std::unordered_set<std::string> keys_;
};

/// Of what a group's message says, worst first as they stand there: what is over is less than all that fires.
int rank_of(const Group& group) {
  if (group.alerts.empty() || group.alerts.front().kind != Kind::firing) return -1;
  return static_cast<int>(parse_severity(group.alerts.front().severity));
}

void forget_firing(Group& group) {
  std::erase_if(group.alerts, [](const Notification& note) { return note.kind == Kind::firing; });
}

}  // namespace

std::string Shipment::key() const {
  return rows.size() == 1 ? rows.front().note.key : digest_key(rows);
}

bool Shipment::is_empty() const {
  return std::ranges::all_of(rows, [](const Row& row) { return row.group && row.group->alerts.empty(); });
}

std::size_t Lane::sent_within_a_minute(const std::string& rule, std::int64_t now_ms) {
  const auto found = sent_.find(rule);
  if (found == sent_.end()) return 0;
  while (!found->second.empty() && found->second.front() <= now_ms - kMinuteMs) found->second.pop_front();
  if (!found->second.empty()) return found->second.size();
  sent_.erase(found);
  return 0;
}

/// The rows that could go out together with `first`: due, of its rule and kind, none behind a row of its own
/// alert, none with a thread.
std::vector<Row> Lane::gather(const Row& first, std::int64_t now_ms) const {
  std::vector<Row> out;
  std::unordered_set<std::string> blocked;
  for (const Row& row : rows_) {
    const bool same = row.note.rule_key == first.note.rule_key && row.note.kind == first.note.kind;
    const bool due = row.next_attempt_ms <= now_ms && !threads_.contains(row.note.fingerprint);
    if (same && due && !blocked.contains(row.note.fingerprint) && out.size() < kLargestDigest)
      out.push_back(row);
    blocked.insert(row.note.fingerprint);
  }
  return out;
}

/// Of a group's messages that wait only the newest says what fires; of the others it is the ends that count.
/// One that is sent again takes its place before the newer ones about the same, which have greater ids; one
/// that could not be stored has none, and is the newest. What is older forgets what fires only for one that
/// comes after it: that goes out with it, or later. One that is sent again keeps it, as those after it may be
/// on the wire and leave without it.
void Lane::enqueue(Row row) {
  // Of a hundred thousand that are sent again most are the only ones about theirs.
  if (++rows_about_[row.note.fingerprint] == 1) return rows_.push_back(std::move(row));
  const auto is_about_the_same = [&row](const Row& other) {
    return other.note.fingerprint == row.note.fingerprint;
  };
  const auto place = std::find_if(rows_.begin(), rows_.end(), [&](const Row& other) {
    return is_about_the_same(other) && row.id != 0 && (other.id > row.id || other.id == 0);
  });
  if (row.group && place == rows_.end()) {
    for (Row& older : rows_) {
      if (older.group && is_about_the_same(older)) forget_firing(*older.group);
    }
  }
  rows_.insert(place, std::move(row));
}

void Lane::remember(const ThreadChange& thread) {
  if (thread.now) {
    threads_.insert_or_assign(thread.fingerprint, *thread.now);
  } else {
    threads_.erase(thread.fingerprint);
  }
}

std::optional<MessageThread> Lane::thread_of(const Row& row) const {
  const auto found = threads_.find(row.note.fingerprint);
  return found == threads_.end() ? std::nullopt : std::optional(found->second);
}

/// A newer one carries the older ones that wait along, whenever those were to be tried again: what a receiver
/// refused does not hold up what comes next.
std::vector<Row> Lane::all_of_group(const Row& first) const {
  std::vector<Row> out;
  for (const Row& row : rows_) {
    if (!row.group || row.note.fingerprint != first.note.fingerprint) continue;
    if (!out.empty()) forget_firing(*out.back().group);
    out.push_back(row);
  }
  return out;
}

/// Of the groups that are due the one with the worst alert, among equals the oldest: where not all can be
/// told at once, that comes first.
std::optional<Shipment> Lane::worst_group(std::int64_t now_ms) const {
  std::unordered_map<std::string_view, const Row*> newest;
  for (const Row& row : rows_) {
    if (row.group) newest[row.note.fingerprint] = &row;
  }
  const Row* worst = nullptr;
  for (const Row& row : rows_) {
    if (!row.group) continue;
    const Row* candidate = newest[row.note.fingerprint];
    if (candidate->next_attempt_ms > now_ms) continue;
    if (worst == nullptr || rank_of(*candidate->group) > rank_of(*worst->group)) worst = candidate;
  }
  if (worst == nullptr) return std::nullopt;
  return Shipment{all_of_group(*worst), thread_of(*worst)};
}

void Lane::refill(std::int64_t now_ms) {
  if (options_.burst == 0) return;
  const double earned = static_cast<double>(std::max<std::int64_t>(now_ms - refilled_ms_, 0)) /
                        static_cast<double>(options_.every_ms);
  tokens_ = std::min<double>(options_.burst, tokens_ + earned);
  refilled_ms_ = now_ms;
}

/// Times are of the clock on the wall. A message of the future says that it went back: what was to wait until
/// then may be days away.
void Lane::forget_future(std::int64_t now_ms) {
  if (now_ms < away_since_ms_) away_since_ms_ = away_until_ms_ = now_ms;
  for (Row& row : rows_) {
    if (row.created_ms <= now_ms) continue;
    row.created_ms = now_ms;
    row.next_attempt_ms = std::min(row.next_attempt_ms, now_ms);
  }
}

std::optional<Shipment> Lane::next(std::int64_t now_ms) {
  forget_future(now_ms);
  if (rows_.empty() || now_ms < away_until_ms_) return std::nullopt;
  refill(now_ms);
  if (options_.burst > 0) {
    if (tokens_ < 1) return std::nullopt;
    if (auto group = worst_group(now_ms)) return group;
  }
  std::unordered_set<std::string> blocked;
  std::unordered_set<std::string> collecting;  // rules whose digest is not due yet
  for (const Row& row : rows_) {
    if (row.group) {
      if (!blocked.insert(row.note.fingerprint).second) continue;
      std::vector<Row> all = all_of_group(row);
      if (all.back().next_attempt_ms <= now_ms) return Shipment{std::move(all), thread_of(row)};
      continue;
    }
    const bool due = row.next_attempt_ms <= now_ms && !blocked.contains(row.note.fingerprint);
    // An end told elsewhere would leave the thread's first message say that it fires.
    if (auto thread = thread_of(row); due && thread) return Shipment{{row}, std::move(thread)};
    if (!due || collecting.contains(row.note.rule_key)) {
      blocked.insert(row.note.fingerprint);
      continue;
    }
    std::vector<Row> together = gather(row, now_ms);
    if (together.size() > kDigestAbove) return Shipment{std::move(together)};
    if (sent_within_a_minute(row.note.rule_key, now_ms) < kDigestAbove) return Shipment{{row}};
    if (now_ms - row.created_ms >= kDigestWaitMs) return Shipment{std::move(together)};
    blocked.insert(row.note.fingerprint);
    collecting.insert(row.note.rule_key);
  }
  return std::nullopt;
}

void Lane::remove(const std::vector<Row>& rows) {
  const TakenRows taken(rows);
  std::erase_if(rows_, [&](const Row& row) {
    if (!taken.contains(row)) return false;
    forget(row);
    return true;
  });
}

/// It is about to leave the queue.
void Lane::forget(const Row& row) {
  const auto about = rows_about_.find(row.note.fingerprint);
  if (--about->second == 0) rows_about_.erase(about);
}

Delivery Lane::delivered(const Shipment& shipment, std::int64_t now_ms) {
  failures_in_a_row_ = 0;
  away_until_ms_ = 0;
  tokens_ -= 1;
  if (shipment.rows.size() == 1 && !shipment.rows.front().group && !shipment.thread)
    sent_[shipment.rows.front().note.rule_key].push_back(now_ms);
  remove(shipment.rows);
  Delivery out;
  for (const Row& row : shipment.rows) out.ids.push_back(row.id);
  return out;
}

Delivery Lane::give_up(const Shipment& shipment, std::string why) {
  Delivery out{{}, Outcome::dead, shipment.rows.back().attempts, 0, std::move(why)};
  for (const Row& row : shipment.rows) out.ids.push_back(row.id);
  remove(shipment.rows);
  return out;
}

/// One that is sent again is tried as long as a new one, and what is newer about the same as long as that: it
/// knows better what fires, and would leave the older one without a word.
std::vector<std::int64_t> Lane::bury_old(std::int64_t now_ms) {
  std::vector<std::int64_t> ids;
  std::unordered_set<std::string_view> kept;
  std::erase_if(rows_, [&](const Row& row) {
    const bool old = now_ms - row.created_ms >= options_.give_up_after_ms;
    if (!old || kept.contains(row.note.fingerprint)) {
      kept.insert(rows_about_.find(row.note.fingerprint)->first);
      return false;
    }
    ids.push_back(row.id);
    forget(row);
    return true;
  });
  return ids;
}

std::vector<Delivery> Lane::failed(const Shipment& shipment, const Failure& failure, std::int64_t now_ms,
                                   double random, std::optional<std::int64_t> patient_ms) {
  const int attempts = shipment.rows.back().attempts + 1;
  const bool is_away = failure.kind == FailureKind::away;
  if (is_away) ++failures_in_a_row_;
  std::int64_t wait = backoff_ms(is_away ? failures_in_a_row_ : attempts, random);
  if (failure.retry_after_ms > 0) wait = std::min(failure.retry_after_ms, kLongestRetryAfterMs);
  if (is_away) {
    away_since_ms_ = now_ms;
    away_until_ms_ = now_ms + wait;
  }
  tokens_ -= 1;

  std::vector<Delivery> out;
  if (Delivery dead{bury_old(patient_ms.value_or(now_ms)), Outcome::dead, attempts, 0, failure.error};
      !dead.ids.empty())
    out.push_back(dead);
  Delivery postponed{{}, Outcome::postponed, attempts, now_ms + wait, failure.error};
  const TakenRows taken(shipment.rows);
  for (Row& row : rows_) {
    if (!taken.contains(row)) continue;
    row.attempts = attempts;
    row.next_attempt_ms = now_ms + wait;
    postponed.ids.push_back(row.id);
  }
  if (!postponed.ids.empty()) out.push_back(std::move(postponed));
  return out;
}

std::vector<Row> Lane::take_all() {
  std::vector<Row> out(std::make_move_iterator(rows_.begin()), std::make_move_iterator(rows_.end()));
  rows_.clear();
  rows_about_.clear();
  return out;
}

std::optional<std::int64_t> Lane::wake_ms(std::int64_t now_ms) const {
  if (rows_.empty()) return std::nullopt;
  std::int64_t due = rows_.front().next_attempt_ms;
  for (const Row& row : rows_) due = std::min(due, row.next_attempt_ms);
  due = std::max(due, away_until_ms_);
  // What is due and yet not sent waits for a token, a digest, or a message before it: look again soon.
  return due > now_ms ? due : now_ms + 100;
}

}  // namespace vigil::notify
