// Takes the parts of a backup as they come and puts them into a folder.
#pragma once

#include "cli/backup/folder.h"
#include "vigil/v1/store.pb.h"

#include <functional>
#include <map>
#include <optional>

namespace vigil::cli {

struct BackupSummary {
  std::string set;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t sent_files = 0;
  std::uint64_t sent_bytes = 0;
  std::size_t removed_sets = 0;  // older ones
};

class Receiver {
 public:
  /// `progress` is told bytes done, bytes in all, and what is done with them.
  using OnProgress = std::function<void(std::uint64_t, std::uint64_t, const std::string&)>;
  enum class Identity : std::uint8_t { wanted, left_out };  // the aggregator's own authority, with its key
  Receiver(const BackupFolder& folder, OnProgress progress, Identity identity = Identity::wanted)
      : folder_(folder), progress_(std::move(progress)), identity_(identity) {}

  /// What the aggregator need not send. Files of older programs are read once, and named by their content.
  Result<v1::BackupRequest> request();
  /// Errc::corrupt: what came is not what was sent, or out of order.
  Result<void> take(const v1::BackupPart& part);
  /// After the last part. Errc::unavailable: it was not the last one.
  Result<BackupSummary> finish() const;

 private:
  Result<void> rename_older();
  Result<void> take_plan(const v1::BackupPlan& plan);
  Result<void> take_data(const std::string& data);
  Result<void> take_end(const v1::BackupFileEnd& end);
  Result<void> take_done();
  Result<void> open_next();

  const BackupFolder& folder_;
  const OnProgress progress_;
  const Identity identity_;
  std::vector<BackedUp> have_;
  Manifest manifest_;
  std::vector<v1::BackupFile> expected_;  // in the order in which they come
  std::optional<NewFile> open_;           // expected_[next_] in the making
  std::size_t next_ = 0;
  std::uint64_t total_bytes_ = 0;
  BackupSummary summary_;
};

}  // namespace vigil::cli
