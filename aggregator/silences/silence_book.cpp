#include "aggregator/silences/silence_book.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace vigil::silences {
namespace {

bool may_change(const Silence& before, const Silence& after, std::int64_t now_ms) {
  if (matchers::to_string(before.matchers) != matchers::to_string(after.matchers)) return false;
  if (before.window || after.window) return false;  // its times are what it did
  switch (before.state_at(now_ms)) {
    case State::active:
      return after.starts_ms == before.starts_ms && after.ends_ms > now_ms;
    case State::pending:
      return after.starts_ms >= now_ms;
    case State::expired:
      break;
  }
  return false;
}

Error unknown(const std::string& id) {
  return fail(Errc::not_found, "there is no silence {}, and no maintenance of that id", id);
}

}  // namespace

void SilenceBook::restore(Silence silence) {
  std::string id = silence.id;
  silences_.insert_or_assign(std::move(id), std::move(silence));
}

Result<std::string> SilenceBook::put(Silence silence, const std::string& new_id, std::int64_t now_ms) {
  if (auto fine = check(silence); !fine) return fine.error();
  if (silence.ends_ms <= now_ms) return fail(Errc::invalid_argument, "a silence ends after now");
  silence.updated_ms = now_ms;
  if (!silence.id.empty()) {
    const auto before = silences_.find(silence.id);
    if (before == silences_.end()) return unknown(silence.id);
    const bool may = may_change(before->second, silence, now_ms);
    if (before->second.maintenance && !silence.maintenance) {
      // Who knows silences only makes it longer.
      if (!may)
        return fail(Errc::invalid_argument, "{} is a maintenance: end it and plan another one", silence.id);
      silence.maintenance = before->second.maintenance;
    }
    if (may) {
      silence.progress = before->second.progress;
      before->second = std::move(silence);
      return before->first;
    }
    if (before->second.state_at(now_ms) != State::expired) static_cast<void>(expire(silence.id, now_ms));
  }
  silence.id = new_id;
  silence.progress = {};
  silence.starts_ms = std::max(silence.starts_ms, now_ms);
  if (silence.state_at(now_ms) == State::expired)
    return fail(Errc::invalid_argument, "none of the times of this silence is still to come");
  restore(std::move(silence));
  return new_id;
}

Result<void> SilenceBook::expire(const std::string& id, std::int64_t now_ms) {
  const auto found = silences_.find(id);
  if (found == silences_.end()) return unknown(id);
  Silence& silence = found->second;
  if (silence.state_at(now_ms) == State::expired)
    return fail(Errc::conflict, "silence {} is over already", id);
  silence.starts_ms = std::min(silence.starts_ms, now_ms);
  silence.ends_ms = now_ms;
  silence.updated_ms = now_ms;
  return {};
}

std::vector<std::string> SilenceBook::forget(std::int64_t before_ms, std::size_t most, std::int64_t now_ms) {
  std::vector<const Silence*> over;
  for (const auto& [id, silence] : silences_) {
    if (silence.state_at(now_ms) == State::expired) over.push_back(&silence);
  }
  // The end of one that comes again may lie ahead of the last of its times: when it was set counts, too.
  const auto ended_ms = [now_ms](const Silence* silence) {
    return std::max(silence->updated_ms, std::min(silence->ends_ms, now_ms));
  };
  std::ranges::sort(over, std::ranges::greater(), ended_ms);
  std::vector<std::string> forgotten;
  for (std::size_t i = 0; i < over.size(); ++i) {
    if (i >= most || (over[i]->updated_ms < before_ms && over[i]->state_at(before_ms) == State::expired))
      forgotten.push_back(over[i]->id);
  }
  for (const std::string& id : forgotten) silences_.erase(id);
  return forgotten;
}

std::size_t SilenceBook::running(std::int64_t t_ms) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      silences_, [t_ms](const auto& entry) { return entry.second.state_at(t_ms) != State::expired; }));
}

std::vector<const Silence*> SilenceBook::muting(const Labels& labels, std::int64_t t_ms) const {
  std::vector<const Silence*> out;
  for (const auto& [id, silence] : silences_) {
    if (silence.mutes(labels, t_ms)) out.push_back(&silence);
  }
  return out;
}

bool SilenceBook::is_muted(const Labels& labels, std::int64_t t_ms) const {
  return std::ranges::any_of(silences_, [&](const auto& entry) { return entry.second.mutes(labels, t_ms); });
}

std::optional<std::int64_t> SilenceBook::next_change_ms(std::int64_t t_ms) const {
  std::optional<std::int64_t> next;
  for (const auto& [id, silence] : silences_) {
    const auto change = silence.next_change_ms(t_ms);
    if (change && (!next || *change < *next)) next = change;
  }
  return next;
}

const Silence* SilenceBook::find(const std::string& id) const {
  const auto found = silences_.find(id);
  return found == silences_.end() ? nullptr : &found->second;
}

std::vector<const Silence*> SilenceBook::listed(std::int64_t t_ms) const {
  constexpr auto kRank = [](State state) {
    return state == State::active ? 0 : state == State::pending ? 1 : 2;
  };
  std::vector<std::pair<int, const Silence*>> ranked;
  for (const auto& [id, silence] : silences_) ranked.emplace_back(kRank(silence.state_at(t_ms)), &silence);
  std::ranges::sort(ranked, [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second->ends_ms, a.second->id) <
           std::tie(b.first, b.second->ends_ms, b.second->id);
  });
  std::vector<const Silence*> out;
  out.reserve(ranked.size());
  for (const auto& [rank, silence] : ranked) out.push_back(silence);
  return out;
}

void SilenceBook::for_each(const std::function<void(const Silence&)>& visit) const {
  for (const auto& [id, silence] : silences_) visit(silence);
}

}  // namespace vigil::silences
