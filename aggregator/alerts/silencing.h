// Silences as the alert service keeps them: which there are, and their rows in meta.db. What it says yes to
// is on the disk.
#pragma once

#include "aggregator/alerts/meta_store.h"
#include "aggregator/silences/silence_book.h"
#include "common/error.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace vigil::alerts {

class AlertService;

/// Changed on the alert service's thread; anybody may look.
class Silencing {
 public:
  explicit Silencing(MetaStore& store) : store_(store) {}

  /// Puts back what is stored. Rows that cannot be read, as when their time zone is not on this machine any
  /// more, are left out and counted in damaged().
  Result<void> restore();
  std::size_t damaged() const { return damaged_; }

  /// As SilenceBook::put(); Errc::limit when there are too many of them.
  Result<std::string> put(silences::Silence silence, std::int64_t now_ms);
  Result<void> expire(const std::string& id, std::int64_t now_ms);
  /// What was done of a maintenance: in force at once, and for the caller to store.
  void note_progress(const std::string& id, const silences::MaintenanceProgress& progress);
  /// As it is to be stored; nothing when it is forgotten.
  std::optional<StoredSilence> stored(const std::string& id) const;
  /// Forgets those that are over for days.
  Result<void> forget(std::int64_t now_ms);

  /// As they are now: never changed, replaced by others.
  std::shared_ptr<const silences::SilenceBook> book() const;

 private:
  Result<void> replace(silences::SilenceBook next, std::int64_t now_ms);

  MetaStore& store_;
  std::size_t damaged_ = 0;
  mutable std::mutex mutex_;  // protects book_
  std::shared_ptr<const silences::SilenceBook> book_ = std::make_shared<silences::SilenceBook>();
};

/// AlertService::put_silence() and expire_silence() for who may wait; Errc::unavailable when it takes too
/// long.
Result<std::string> put_silence(AlertService& service, silences::Silence silence);
Result<void> expire_silence(AlertService& service, std::string id);

}  // namespace vigil::alerts
