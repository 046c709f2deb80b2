#include "tests/aggregator/alerts/telling_model.h"

#include <algorithm>

namespace vigil::alerts::testing {

using notify::Kind;

TellingModel::Episode TellingModel::episode_of(const notify::Row& row) {
  return {series_of(row.note.labels), row.note.fired_at_ms / 1000};
}

std::string TellingModel::expire(std::int64_t now_s) {
  if (silences_.empty() || silences_.back().until_s <= now_s) return {};
  std::string id = std::move(silences_.back().id);
  silences_.pop_back();
  return id;
}

bool TellingModel::is_silenced(std::size_t series, std::int64_t now_s) const {
  return std::ranges::any_of(silences_, [&](const Silenced& silence) {
    return (silence.series == kAllSeries || silence.series == series) && now_s < silence.until_s;
  });
}

std::string TellingModel::queued(const notify::Row& row, std::int64_t now_s) {
  const Episode episode = episode_of(row);
  Told& told = told_[episode];
  outbox_[row.receiver].push_back(row.id);
  if (row.id == 0) return "a message is not in meta.db";
  if (row.note.kind == Kind::resolved) {
    if (!told.of_firing.contains(row.receiver))
      return row.receiver + " is told the end of what it never heard of";
    return told.of_end.insert(row.receiver).second ? "" : row.receiver + " is told the end twice";
  }
  if (is_silenced(episode.first, now_s)) return chip_of(episode.first) + " is told of while it is silenced";
  if (is_of_calm(row)) {
    if (!told.of_firing.contains(row.receiver) || told.of_end.contains(row.receiver))
      return row.receiver + " is told that what it does not take for firing fires on";
    return told.of_calm.insert(row.receiver).second ? "" : row.receiver + " is told twice that it is calm";
  }
  return told.of_firing.insert(row.receiver).second ? "" : row.receiver + " is told twice that it fires";
}

std::string TellingModel::heard(const notify::Row& row) {
  Ear& ear = ears_[row.receiver];
  const std::string& key = row.note.key;
  if (ear.keys.contains(key)) {
    if (ear.kills == kills_) return key + " came twice, and nothing was killed";
    if (ear.last != key) return key + " came again behind a newer one";
    ear.kills = kills_;
    return {};
  }
  ear.keys.insert(key);
  ear.last = key;
  ear.kills = kills_;
  const auto [series, fired_s] = episode_of(row);
  const auto known = ear.firing.find(series);
  if (is_of_calm(row)) {
    return known != ear.firing.end() && known->second == fired_s
               ? ""
               : chip_of(series) + " is calm, and was not said to fire";
  }
  if (row.note.kind == Kind::firing) {
    if (known != ear.firing.end()) return chip_of(series) + " fires, and was not said to be over";
    ear.firing[series] = fired_s;
    return {};
  }
  if (known == ear.firing.end() || known->second != fired_s)
    return chip_of(series) + " is over, and was not said to fire";
  ear.firing.erase(known);
  return {};
}

void TellingModel::noted(const notify::Row& row) {
  std::erase(outbox_[row.receiver], row.id);
}

std::string TellingModel::started(const std::vector<notify::Row>& rows) {
  std::map<std::string, std::deque<std::int64_t>> found;
  for (const notify::Row& row : rows) found[row.receiver].push_back(row.id);
  std::erase_if(outbox_, [](const auto& entry) { return entry.second.empty(); });
  return found == outbox_ ? "" : "what waits in the outbox is not what was left in it";
}

std::string TellingModel::check(const std::vector<SeriesModel>& series, const std::vector<std::string>& who,
                                std::int64_t now_s) {
  for (std::size_t i = 0; i < series.size(); ++i) {
    const Seen& seen = series[i].seen();
    if (seen.state != State::firing || is_silenced(i, now_s)) continue;
    Told& told = told_[{i, seen.fired_s}];
    if (!told.is_announced && !std::ranges::includes(told.of_firing, std::set(who.begin(), who.end())))
      return chip_of(i) + " fires, and somebody was not told";
    told.is_announced = true;
  }
  for (const auto& [episode, told] : told_) {
    const Seen& seen = series.at(episode.first).seen();
    const bool fires = seen.state == State::firing && seen.fired_s == episode.second;
    if (!told.of_calm.empty() && !series.at(episode.first).may_have_flapped(episode.second))
      return chip_of(episode.first) + " is said to be calm, and never flapped";
    if (!told.of_calm.empty() && told.of_calm != told.of_firing)
      return chip_of(episode.first) + " is calm, and somebody was not told";
    if (fires && !told.of_end.empty()) return chip_of(episode.first) + " fires, and its end was told";
    if (!fires && told.of_end != told.of_firing)
      return chip_of(episode.first) + " is over, and somebody who was told of it does not hear that";
  }
  return {};
}

std::string TellingModel::check_end() const {
  for (const auto& [receiver, ids] : outbox_) {
    if (!ids.empty()) return receiver + " did not get all of its messages";
  }
  for (const auto& [receiver, ear] : ears_) {
    if (!ear.firing.empty()) return receiver + " takes for firing what is over";
  }
  for (const auto& [episode, told] : told_) {
    for (const std::string& receiver : told.of_firing) {
      if (!ears_.contains(receiver)) return receiver + " heard nothing";
    }
  }
  return {};
}

}  // namespace vigil::alerts::testing
