#include "cli/backup/receiver.h"

#include <algorithm>

namespace vigil::cli {
namespace {

Error out_of_order() {
  return fail(Errc::corrupt,
              "the aggregator sends parts in an order that makes no sense: do the versions fit?");
}

}  // namespace

Result<void> Receiver::rename_older() {
  const auto files = folder_.files();
  if (!files) return files.error();
  const auto is_older = [](const BackedUp& file) { return file.checksum.size() == kCrcDigits; };
  for (const BackedUp& older : *files) {
    if (!is_older(older) || older.modified_ns == 0) continue;
    const bool is_named = std::ranges::any_of(*files, [&](const BackedUp& file) {
      return !is_older(file) && file.name == older.name && file.bytes == older.bytes &&
             file.modified_ns == older.modified_ns;
    });
    if (is_named) continue;
    // One for which it fails is sent anew.
    (void)folder_.rename_by_content(
        older, [&](std::uint64_t done) { progress_(done, older.bytes, "verifying " + older.name); });
  }
  return {};
}

Result<v1::BackupRequest> Receiver::request() {
  if (auto renamed = rename_older(); !renamed) return renamed.error();
  auto have = folder_.files();
  if (!have) return have.error();
  have_ = std::move(*have);
  std::erase_if(have_, [](const BackedUp& file) { return file.checksum.size() == kCrcDigits; });
  v1::BackupRequest request;
  request.set_identity(identity_ == Identity::wanted);
  for (const BackedUp& file : have_) {
    if (file.modified_ns == 0) continue;  // it is never the same again
    v1::BackupKnown& known = *request.add_known();
    known.set_name(file.name);
    known.set_bytes(file.bytes);
    known.set_modified_ns(file.modified_ns);
  }
  return request;
}

Result<void> Receiver::take(const v1::BackupPart& part) {
  switch (part.part_case()) {
    case v1::BackupPart::kProgress:
      progress_(part.progress().done_bytes(), part.progress().total_bytes(),
                "preparing " + part.progress().file());
      return {};
    case v1::BackupPart::kPlan:
      return take_plan(part.plan());
    case v1::BackupPart::kData:
      return take_data(part.data());
    case v1::BackupPart::kFileEnd:
      return take_end(part.file_end());
    case v1::BackupPart::kDone:
      return take_done();
    default:
      return {};  // of a newer aggregator
  }
}

Result<void> Receiver::take_plan(const v1::BackupPlan& plan) {
  if (manifest_.time_ms != 0) return out_of_order();
  if (auto ours = folder_.belongs_to(plan.folder_id()); !ours) return ours;
  manifest_.time_ms = plan.time_ms();
  manifest_.folder_id = plan.folder_id();
  manifest_.version = plan.version();
  for (const v1::BackupFile& file : plan.files()) {
    if (!is_file_name(file.name()))
      return fail(Errc::corrupt, "the aggregator sends a file with the name '{}'", file.name());
    summary_.bytes += file.bytes();
    if (!file.known()) {
      expected_.push_back(file);
      total_bytes_ += file.bytes();
      continue;
    }
    const auto same = std::find_if(have_.begin(), have_.end(), [&](const BackedUp& each) {
      return each.name == file.name() && each.bytes == file.bytes() && each.modified_ns == file.modified_ns();
    });
    if (same == have_.end()) return out_of_order();
    manifest_.files.push_back(*same);
  }
  return {};
}

Result<void> Receiver::open_next() {
  if (open_) return {};
  if (next_ == expected_.size()) return out_of_order();
  auto file = folder_.begin_file(expected_[next_].name());
  if (!file) return file.error();
  open_.emplace(std::move(*file));
  return {};
}

Result<void> Receiver::take_data(const std::string& data) {
  if (auto opened = open_next(); !opened) return opened;
  summary_.sent_bytes += data.size();
  progress_(summary_.sent_bytes, total_bytes_, expected_[next_].name());
  return open_->write(data);
}

Result<void> Receiver::take_end(const v1::BackupFileEnd& end) {
  if (auto opened = open_next(); !opened) return opened;
  const v1::BackupFile& file = expected_[next_++];
  NewFile whole = std::move(*open_);
  open_.reset();
  if (whole.bytes() != file.bytes() || whole.digest().crc32c() != end.crc32c())
    return fail(Errc::corrupt, "{} arrived damaged: try again", file.name());
  auto done = folder_.finish_file(std::move(whole), file.name(), file.modified_ns());
  if (!done) return done.error();
  manifest_.files.push_back(std::move(*done));
  ++summary_.sent_files;
  return {};
}

Result<void> Receiver::take_done() {
  if (manifest_.time_ms == 0 || next_ != expected_.size() || open_ || !summary_.set.empty())
    return out_of_order();
  auto set = folder_.add_set(manifest_);
  if (!set) return set.error();
  summary_.set = std::move(*set);
  summary_.files = manifest_.files.size();
  return {};
}

Result<BackupSummary> Receiver::finish() const {
  if (summary_.set.empty())
    return fail(Errc::unavailable,
                "the aggregator ended before the backup was complete: try again, what came is kept");
  return summary_;
}

}  // namespace vigil::cli
