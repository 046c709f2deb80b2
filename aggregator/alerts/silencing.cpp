#include "aggregator/alerts/silencing.h"

#include "aggregator/alerts/alert_service.h"
#include "aggregator/alerts/ids.h"
#include "aggregator/alerts/wait_for.h"
#include "aggregator/calendar/zones.h"
#include "aggregator/silences/silence_json.h"

#include <chrono>
#include <utility>

namespace vigil::alerts {
namespace {

using silences::Silence;
using silences::SilenceBook;

constexpr std::size_t kMost = 10'000;                  // that run, and that are over
constexpr std::int64_t kExpiredMs = 5LL * 86'400'000;  // after their end, as in Alertmanager

}  // namespace

Result<void> Silencing::restore() {
  const auto bodies = store_.silences();
  if (!bodies) return bodies.error();
  calendar::Zones zones;
  auto book = std::make_shared<SilenceBook>();
  for (const std::string& body : *bodies) {
    auto silence = silences::decode_silence(body, zones);
    if (silence) {
      book->restore(std::move(*silence));
    } else {
      ++damaged_;
    }
  }
  const std::lock_guard lock(mutex_);
  book_ = std::move(book);
  return {};
}

std::shared_ptr<const SilenceBook> Silencing::book() const {
  const std::lock_guard lock(mutex_);
  return book_;
}

Result<std::string> Silencing::put(Silence silence, std::int64_t now_ms) {
  const auto before = book();
  SilenceBook next = *before;
  auto id = next.put(std::move(silence), new_id(), now_ms);
  if (!id) return id;
  const std::size_t running = next.running(now_ms);
  if (running > kMost && running > before->running(now_ms))
    return fail(Errc::limit, "{} silences run already: end some of them", kMost);
  if (auto done = replace(std::move(next), now_ms); !done) return done.error();
  return id;
}

Result<void> Silencing::expire(const std::string& id, std::int64_t now_ms) {
  SilenceBook next = *book();
  if (auto done = next.expire(id, now_ms); !done) return done;
  return replace(std::move(next), now_ms);
}

void Silencing::note_progress(const std::string& id, const silences::MaintenanceProgress& progress) {
  auto next = std::make_shared<SilenceBook>(*book());
  Silence changed = *next->find(id);
  changed.progress = progress;
  next->restore(std::move(changed));
  const std::lock_guard lock(mutex_);
  book_ = std::move(next);
}

std::optional<StoredSilence> Silencing::stored(const std::string& id) const {
  const auto all = book();
  const Silence* found = all->find(id);
  if (found == nullptr) return std::nullopt;
  return StoredSilence{id, silences::encode(*found)};
}

Result<void> Silencing::forget(std::int64_t now_ms) {
  SilenceBook next = *book();
  const auto forgotten = next.forget(now_ms - kExpiredMs, kMost, now_ms);
  if (forgotten.empty()) return {};
  if (auto removed = store_.remove_silences(forgotten); !removed) return removed;
  const std::lock_guard lock(mutex_);
  book_ = std::make_shared<SilenceBook>(std::move(next));
  return {};
}

/// `next` differs from book() in what was changed now.
Result<void> Silencing::replace(SilenceBook next, std::int64_t now_ms) {
  std::vector<StoredSilence> changed;
  next.for_each([&](const Silence& silence) {
    if (silence.updated_ms == now_ms) changed.push_back({silence.id, silences::encode(silence)});
  });
  if (auto stored = store_.put_silences(changed); !stored)
    return fail(stored.error().code, "nothing is changed, since the aggregator could not store it: {}",
                stored.error().message);
  const std::lock_guard lock(mutex_);
  book_ = std::make_shared<SilenceBook>(std::move(next));
  return {};
}

Result<std::string> put_silence(AlertService& service, Silence silence) {
  return wait_for<Result<std::string>>(
      [&](auto answer) { service.put_silence(std::move(silence), std::move(answer)); });
}

Result<void> expire_silence(AlertService& service, std::string id) {
  return wait_for<Result<void>>(
      [&](auto answer) { service.expire_silence(std::move(id), std::move(answer)); });
}

}  // namespace vigil::alerts
