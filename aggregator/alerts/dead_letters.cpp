#include "aggregator/alerts/dead_letters.h"

#include "aggregator/alerts/maintaining.h"
#include "aggregator/alerts/resending.h"
#include "aggregator/alerts/service.h"
#include "aggregator/notify/text.h"
#include "common/log/log.h"

#include <algorithm>
#include <set>
#include <utility>

namespace vigil::alerts {
namespace {

using notify::Kind;
using notify::Notification;

// What the alert thread does in one turn, between which alerts go on.
constexpr std::size_t kResentATurn = 500;
constexpr std::size_t kDroppedATurn = 1000;
constexpr std::size_t kReadATurn = 1 << 20;  // bytes of what messages say

/// Of a maintenance, which is no alert: as long as it is not over.
bool is_maintenance_on(const Notification& note, const Present& present) {
  const auto* silence = present.silences.find(std::string(note.labels.get("maintenance")));
  return silence != nullptr && silence->state_at(present.now_ms) != silences::State::expired;
}

bool is_so(const Notification& note, const Present& present) {
  if (note.rule_key == kMaintenanceKey)
    return note.kind == Kind::resolved || is_maintenance_on(note, present);
  const Alert* alert = present.book.find(note.fingerprint);
  const bool fires = alert != nullptr && alert->state == State::firing;
  return note.kind == Kind::resolved ? !fires : fires && alert->fired_at_ms == note.fired_at_ms;
}

bool says_that_it_fires(const notify::Group& group) {
  return std::ranges::any_of(group.alerts,
                             [](const Notification& note) { return note.kind == Kind::firing; });
}

/// Ids that a choice names and nobody found.
Result<void> all_found(const LetterChoice& choice, const std::vector<std::int64_t>& found) {
  std::set<std::int64_t> missing(choice.ids.begin(), choice.ids.end());
  for (const std::int64_t id : found) missing.erase(id);
  if (missing.empty()) return {};
  return fail(Errc::not_found, "no message {} was given up; `vigil receivers dead` lists those that were",
              fmt::join(missing, ", "));
}

std::set<std::string> endpoints_of(const notify::Notifier& notifier) {
  std::set<std::string> out;
  for (const notify::ReceiverStats& stats : notifier.stats()) {
    if (stats.kind != "gone") out.insert(stats.receiver);
  }
  return out;
}

/// What becomes of a letter: it is sent as `row`, or it stays, since `why`, and is counted there.
struct Judged {
  std::optional<notify::Row> row;
  std::uint64_t Resent::*counted = &Resent::sent;
  std::string why;
};

Judged judge(DeadLetter letter, const Present& present, const std::set<std::string>& endpoints) {
  const std::int64_t id = letter.row.id;
  if (!letter.is_readable)
    return {std::nullopt, &Resent::unreadable,
            fmt::format("message {} cannot be read; `vigil receivers drop {}` forgets it", id, id)};
  if (!endpoints.contains(letter.row.receiver))
    return {std::nullopt, &Resent::unknown,
            fmt::format("message {}: its receiver {} is not configured any more", id, letter.row.receiver)};
  const std::string what = fmt::format("{}", fmt::join(about(letter.row, 3), ", "));
  auto row = as_of_now(std::move(letter.row), present);
  if (!row)
    return {std::nullopt, &Resent::outdated,
            fmt::format("message {} is not sent: what it says of {} is not so any more; `vigil receivers "
                        "drop {}` forgets it",
                        id, what, id)};
  row->created_ms = present.now_ms;  // tried for as long as a new one
  row->attempts = 0;
  row->next_attempt_ms = 0;
  return {std::move(row), &Resent::sent, {}};
}

}  // namespace

std::optional<notify::Row> as_of_now(notify::Row row, const Present& present) {
  if (!row.group) return is_so(row.note, present) ? std::optional(std::move(row)) : std::nullopt;
  notify::Group& group = *row.group;
  std::erase_if(group.alerts, [&present](const Notification& note) { return !is_so(note, present); });
  if (group.left_out > 0) present.grouping.name_left_out(row, present.book, present.external_url);
  if (group.alerts.empty()) return std::nullopt;
  if (!says_that_it_fires(group)) {
    if (present.grouping.is_firing(group.receiver, group.key)) return std::nullopt;
    row.note.kind = Kind::resolved;
  }
  return row;
}

std::size_t alerts_in(const notify::Row& row) {
  return row.group ? row.group->alerts.size() + row.group->left_out : 1;
}

std::vector<std::string> about(const notify::Row& row, std::size_t most) {
  if (!row.group) return {notify::title_of(row.note)};
  std::vector<std::string> out;
  for (const Notification& note : row.group->alerts) {
    if (out.size() == most) break;
    out.push_back(notify::title_of(note));
  }
  return out;
}

void Service::dead_letters(std::size_t most, std::function<void(Result<DeadLetters>)> done) {
  worker_.insist([this, most, done = std::move(done)] { done(store_.dead_letters(most)); });
}

void Service::resend(LetterChoice choice, std::function<void(Result<Resent>)> done) {
  worker_.insist([this, choice = std::move(choice), done = std::move(done)] { done(send_again(choice)); });
}

void Service::drop(LetterChoice choice, std::function<void(Result<Dropped>)> done) {
  worker_.insist([this, choice = std::move(choice), done = std::move(done)] { done(forget(choice)); });
}

Result<Dropped> Service::forget(const LetterChoice& choice) {
  const auto ids = store_.dead_ids(choice, kDroppedATurn);
  if (!ids) return ids.error();
  if (auto found = all_found(choice, *ids); !found) return found.error();
  if (auto dropped = store_.drop_letters(*ids); !dropped) return dropped.error();
  const bool is_all_taken = !choice.ids.empty() || ids->size() < kDroppedATurn;
  return Dropped{ids->size(), is_all_taken ? 0 : ids->back()};
}

/// The oldest first; of all as many as one turn takes.
Result<Service::ChosenLetters> Service::chosen_letters(const LetterChoice& choice) {
  const bool is_all = choice.ids.empty();
  const auto ids = store_.dead_ids(choice, kResentATurn);
  if (!ids) return ids.error();
  if (auto found = all_found(choice, *ids); !found) return found.error();
  auto letters = store_.read_letters(*ids, is_all ? kReadATurn : std::string::npos);
  if (!letters) return letters.error();
  const bool is_all_taken =
      !is_all || letters->empty() || (ids->size() < kResentATurn && letters->size() == ids->size());
  const std::int64_t next = is_all_taken ? 0 : letters->back().row.id;
  return ChosenLetters{std::move(*letters), next};
}

Result<Resent> Service::send_again(const LetterChoice& choice) {
  if (notifier_ == nullptr) return fail(Errc::unavailable, "messages are not sent");
  auto chosen = chosen_letters(choice);
  if (!chosen) return chosen.error();
  const auto endpoints = endpoints_of(*notifier_);
  const auto silences = silencing_.book();
  // The book is this thread's: others only read it.
  const Present present{book_, grouping_, *silences, options_.now_ms(), rules_->external_url()};
  Resent resent;
  resent.next = chosen->next;
  std::vector<notify::Row> rows;
  for (DeadLetter& letter : chosen->letters) {
    Judged judged = judge(std::move(letter), present, endpoints);
    if (!judged.row && !choice.ids.empty()) return fail(Errc::conflict, "{}", judged.why);
    ++(resent.*judged.counted);
    if (judged.row) rows.push_back(std::move(*judged.row));
  }
  if (auto stored = store_.revive(rows); !stored) return stored.error();
  if (!rows.empty()) {
    log::info("alerts", "messages that were given up are sent again", {{"messages", rows.size()}});
    notifier_->enqueue(std::move(rows));
  }
  return resent;
}

}  // namespace vigil::alerts
