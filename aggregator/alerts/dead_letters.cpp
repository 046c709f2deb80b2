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
Result<void> all_found(const LetterChoice& choice, const std::vector<DeadLetter>& found) {
  std::set<std::int64_t> missing(choice.ids.begin(), choice.ids.end());
  for (const DeadLetter& letter : found) missing.erase(letter.row.id);
  if (missing.empty()) return {};
  return fail(Errc::not_found, "no message {} was given up; `vigil receivers dead` lists those that were",
              fmt::join(missing, ", "));
}

}  // namespace

bool LetterChoice::takes(std::int64_t id, std::string_view endpoint) const {
  if (!ids.empty()) return std::ranges::find(ids, id) != ids.end();
  if (receiver.empty() || endpoint == receiver) return true;
  return endpoint.size() > receiver.size() && endpoint.rfind('/') == receiver.size() &&
         endpoint.starts_with(receiver);
}

std::optional<notify::Row> as_of_now(notify::Row row, const Present& present) {
  if (!row.group) return is_so(row.note, present) ? std::optional(std::move(row)) : std::nullopt;
  notify::Group& group = *row.group;
  std::erase_if(group.alerts, [&present](const Notification& note) { return !is_so(note, present); });
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

void Service::dead_letters(std::function<void(Result<DeadLetters>)> done) {
  worker_.insist([this, done = std::move(done)] { done(store_.dead_letters(kMostDeadListed)); });
}

void Service::resend(LetterChoice choice, std::function<void(Result<Resent>)> done) {
  worker_.insist([this, choice = std::move(choice), done = std::move(done)] { done(send_again(choice)); });
}

void Service::drop(LetterChoice choice, std::function<void(Result<std::uint64_t>)> done) {
  worker_.insist([this, choice = std::move(choice), done = std::move(done)] {
    auto chosen = chosen_letters(choice);
    if (!chosen) return done(chosen.error());
    std::vector<std::int64_t> ids;
    for (const DeadLetter& letter : *chosen) ids.push_back(letter.row.id);
    if (auto dropped = store_.drop_letters(ids); !dropped) return done(dropped.error());
    done(static_cast<std::uint64_t>(ids.size()));
  });
}

/// The oldest first.
Result<std::vector<DeadLetter>> Service::chosen_letters(const LetterChoice& choice) {
  std::vector<DeadLetter> out;
  const auto read = store_.each_dead_letter([&](DeadLetter letter) {
    if (choice.takes(letter.row.id, letter.row.receiver)) out.push_back(std::move(letter));
  });
  if (!read) return read.error();
  if (auto found = all_found(choice, out); !found) return found.error();
  return out;
}

Result<Resent> Service::send_again(const LetterChoice& choice) {
  if (notifier_ == nullptr) return fail(Errc::unavailable, "messages are not sent");
  auto chosen = chosen_letters(choice);
  if (!chosen) return chosen.error();
  std::set<std::string> endpoints;
  for (const notify::ReceiverStats& stats : notifier_->stats()) {
    if (stats.kind != "gone") endpoints.insert(stats.receiver);
  }
  Resent resent;
  std::vector<notify::Row> rows;
  const auto silences = silencing_.book();
  const std::int64_t now = options_.now_ms();
  for (DeadLetter& letter : *chosen) {
    const std::int64_t id = letter.row.id;
    if (!endpoints.contains(letter.row.receiver)) {
      if (!choice.ids.empty())
        return fail(Errc::conflict, "message {}: its receiver {} is not configured any more", id,
                    letter.row.receiver);
      ++resent.unknown;
      continue;
    }
    const std::string what = fmt::format("{}", fmt::join(about(letter.row, 3), ", "));
    // The book is this thread's: others only read it.
    auto row = as_of_now(std::move(letter.row), {book_, grouping_, *silences, now});
    if (!row) {
      if (!choice.ids.empty())
        return fail(Errc::conflict,
                    "message {} is not sent: what it says of {} is not so any more; `vigil receivers drop "
                    "{}` forgets it",
                    id, what, id);
      ++resent.outdated;
      continue;
    }
    row->created_ms = now;  // tried for as long as a new one
    row->attempts = 0;
    row->next_attempt_ms = 0;
    rows.push_back(std::move(*row));
  }
  if (auto stored = store_.revive(rows); !stored) return stored.error();
  resent.sent = rows.size();
  if (!rows.empty()) {
    log::info("alerts", "messages that were given up are sent again", {{"messages", rows.size()}});
    notifier_->enqueue(std::move(rows));
  }
  return resent;
}

}  // namespace vigil::alerts
