#include "aggregator/alerts/tellings.h"

#include "aggregator/alerts/maintaining.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace vigil::alerts {
namespace {

auto identity(const Telling& telling) {
  return std::tie(telling.fingerprint, telling.fired_at_ms, telling.receiver, telling.group_key,
                  telling.what);
}

Telling telling_of(const notify::Notification& note, const notify::Row& row, Telling::What firing_as) {
  Telling out;
  out.fingerprint = note.fingerprint;
  out.fired_at_ms = note.fired_at_ms;
  out.receiver = row.receiver;
  out.what = note.kind == notify::Kind::resolved ? Telling::What::over : firing_as;
  out.at_ms = out.last_ms = row.created_ms;
  return out;
}

}  // namespace

std::string_view to_string(Telling::What what) {
  return what == Telling::What::over ? "over" : what == Telling::What::escalated ? "escalated" : "fires";
}

Telling::What parse_what(std::string_view text) {
  return text == "over"        ? Telling::What::over
         : text == "escalated" ? Telling::What::escalated
                               : Telling::What::fires;
}

std::vector<Telling> tellings_of(const notify::Row& row, Telling::What firing_as) {
  std::vector<Telling> out;
  if (row.note.rule_key == kMaintenanceKey) return out;
  if (!row.group) return {telling_of(row.note, row, firing_as)};
  for (const notify::Notification& note : row.group->alerts) {
    Telling& telling = out.emplace_back(telling_of(note, row, firing_as));
    // One that belongs to no group goes out as a group by itself.
    if (row.note.fingerprint != note.fingerprint) telling.group_key = row.group->key;
  }
  return out;
}

void merge(Telling telling, std::vector<Telling>& into) {
  const auto known = std::ranges::find_if(
      into, [&telling](const Telling& other) { return identity(other) == identity(telling); });
  if (known == into.end()) return into.push_back(std::move(telling));
  known->last_ms = std::max(known->last_ms, telling.last_ms);
  known->times += telling.times;  // what is not stored yet has not arrived
}

}  // namespace vigil::alerts
