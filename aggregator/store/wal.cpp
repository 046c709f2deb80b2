#include "aggregator/store/wal.h"

#include "aggregator/store/files.h"
#include "common/log/log.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::uint32_t kMagic = 0x377f0682;  // | 1: checksums are of big-endian words
constexpr std::uint32_t kLeastPage = 512;
constexpr std::uint32_t kMostPage = 65'536;
constexpr int kLooks = 4;  // at a log that changes while it is read

std::uint32_t big(const char* at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return std::endian::native == std::endian::little ? __builtin_bswap32(word) : word;
}

struct Checksum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool operator==(const Checksum&) const = default;

  static Checksum read(const char* at) { return {big(at), big(at + 4)}; }
  void add(std::string_view words, bool big_endian) {
    const bool swap = big_endian == (std::endian::native == std::endian::little);
    for (std::size_t at = 0; at + 8 <= words.size(); at += 8) {
      std::array<std::uint32_t, 2> pair{};
      std::memcpy(pair.data(), words.data() + at, sizeof pair);
      first += (swap ? __builtin_bswap32(pair[0]) : pair[0]) + second;
      second += (swap ? __builtin_bswap32(pair[1]) : pair[1]) + first;
    }
  }
};

/// A file of a VFS, as long as it is looked at.
class VfsFile {
 public:
  static Result<VfsFile> open(const std::string& path, const std::string& vfs, int flags) {
    sqlite3_vfs* files = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
    if (files == nullptr) return fail(Errc::internal, "no SQLite VFS is called '{}'", vfs);
    VfsFile file;
    file.path_ = std::make_unique<const std::string>(path);
    file.memory_ = std::make_unique<std::max_align_t[]>(
        static_cast<std::size_t>(files->szOsFile) / sizeof(std::max_align_t) + 1);
    errno = 0;
    const int code = files->xOpen(files, file.path_->c_str(), file.get(), flags | SQLITE_OPEN_WAL, nullptr);
    if (code != SQLITE_OK) {
      file.memory_.reset();
      return fail_errno(errno == 0 ? EIO : errno, "open " + path);
    }
    return file;
  }
  VfsFile(VfsFile&&) noexcept = default;
  VfsFile& operator=(VfsFile&&) = delete;
  ~VfsFile() {
    if (memory_) get()->pMethods->xClose(get());
  }

  Result<std::uint64_t> size() {
    sqlite3_int64 bytes = 0;
    if (const int code = get()->pMethods->xFileSize(get(), &bytes); code != SQLITE_OK)
      return fail(Errc::io, "size of {}: SQLite error {}", *path_, code);
    return static_cast<std::uint64_t>(bytes);
  }
  /// False: it ended before.
  Result<bool> read(std::uint64_t offset, std::string& bytes) {
    const int code = get()->pMethods->xRead(get(), bytes.data(), static_cast<int>(bytes.size()),
                                            static_cast<sqlite3_int64>(offset));
    if (code == SQLITE_OK) return true;
    if (code == SQLITE_IOERR_SHORT_READ) return false;
    return fail(Errc::io, "read {}: SQLite error {}", *path_, code);
  }

 private:
  VfsFile() = default;
  sqlite3_file* get() const { return reinterpret_cast<sqlite3_file*>(memory_.get()); }
  std::unique_ptr<const std::string> path_;  // SQLite keeps a pointer into it
  std::unique_ptr<std::max_align_t[]> memory_;
};

struct Frame {
  bool good = false;    // goes on from the checksum that the frame before it has
  bool sound = false;   // what it holds is as it was written, though its own checksum may not be
  bool commit = false;  // the last of a transaction, or damaged to look like it
  std::uint32_t page = 0;
};

/// What a log holds, good or not.
class Log {
 public:
  static Result<Log> read(VfsFile& file) {
    Log log;
    log.header_.resize(kHeaderBytes);
    auto whole = file.read(0, log.header_);
    if (!whole) return whole.error();
    const auto bytes = file.size();
    if (!bytes) return bytes.error();
    if (!*whole) return log;
    if (!log.take_header()) {
      if (auto guessed = log.guess_header(file); !guessed) return guessed.error();
      if (log.page_bytes_ == 0) return log;
    }
    auto taken = log.take_frames(file, (*bytes - kHeaderBytes) / log.frame_bytes());
    if (!taken) return taken.error();
    return log;
  }

  const std::vector<Frame>& frames() const { return frames_; }
  std::size_t frame_bytes() const { return kFrameHeaderBytes + page_bytes_; }
  std::uint64_t offset(std::size_t frame) const { return kHeaderBytes + frame * frame_bytes(); }
  std::uint32_t most_pages() const { return most_pages_; }

  /// The first frame that fails; frames().size(): none does.
  std::size_t first_bad() const {
    const auto bad =
        std::find_if(frames_.begin(), frames_.end(), [](const Frame& frame) { return !frame.good; });
    return static_cast<std::size_t>(bad - frames_.begin());
  }
  /// A commit that the frame behind it goes on from.
  bool proven(std::size_t frame) const {
    return frame + 1 < frames_.size() && frames_[frame].commit && frames_[frame + 1].good;
  }
  std::optional<WalDamage> damage() const {
    const std::size_t begin = header_good_ ? first_bad() : 0;
    WalDamage found{header_good_ ? offset(begin) : 0, 0};
    for (std::size_t i = begin; i < frames_.size(); ++i) found.commits += proven(i) ? 1 : 0;
    if (found.commits == 0) return std::nullopt;
    return found;
  }
  /// Frames of transactions that were committed, damaged ones among them.
  std::size_t committed() const {
    std::size_t end = 0;
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      if (proven(i)) end = i + 1;
    }
    for (std::size_t i = end; i < frames_.size() && frames_[i].good; ++i) {
      if (frames_[i].commit) end = i + 1;
    }
    return end;
  }
  Checksum sum_of(Checksum before, std::string_view frame) const {
    before.add(frame.substr(0, 8), big_endian_);
    before.add(frame.substr(kFrameHeaderBytes), big_endian_);
    return before;
  }

 private:
  bool take_header() {
    const std::uint32_t magic = big(header_.data());
    if ((magic & ~1U) != kMagic) return false;
    big_endian_ = (magic & 1) != 0;
    Checksum sum;
    sum.add(std::string_view(header_).substr(0, 24), big_endian_);
    const std::uint32_t page = big(header_.data() + 8);
    if (sum != Checksum::read(header_.data() + 24) || page < kLeastPage || page > kMostPage ||
        !std::has_single_bit(page))
      return false;
    page_bytes_ = page;
    salt_ = header_.substr(16, 8);
    header_good_ = true;
    return true;
  }

  /// From the first frames: our pages have 4,096 bytes, and checksums are in this machine's byte order.
  Result<void> guess_header(VfsFile& file) {
    page_bytes_ = 4096;
    big_endian_ = std::endian::native == std::endian::big;
    std::string first(frame_bytes(), '\0');
    std::string second = first;
    for (std::size_t i = 0; i < 2; ++i) {
      auto whole = file.read(offset(i), i == 0 ? first : second);
      if (!whole) return whole.error();
      if (!*whole) page_bytes_ = 0;
      if (!*whole) return {};
    }
    salt_ = first.substr(8, 8);
    if (sum_of(Checksum::read(first.data() + 16), second) != Checksum::read(second.data() + 16) ||
        second.substr(8, 8) != salt_)
      page_bytes_ = 0;
    return {};
  }

  Result<void> take_frames(VfsFile& file, std::uint64_t most) {
    Checksum before = Checksum::read(header_.data() + 24);
    Checksum before_by_content = before;
    std::string frame(frame_bytes(), '\0');
    bool summed_before = false;  // the frame before has the right checksum, whatever its salt
    for (std::uint64_t i = 0; i < most; ++i) {
      auto whole = file.read(offset(i), frame);
      if (!whole) return whole.error();
      if (!*whole) break;
      const Checksum stored = Checksum::read(frame.data() + 16);
      const Checksum sum = sum_of(before, frame);
      const bool ours = std::string_view(frame).substr(8, 8) == salt_;
      const bool follows = ours && sum == stored;
      const bool follows_content = ours && !follows && sum_of(before_by_content, frame) == stored;
      Frame found{follows || follows_content, follows || follows_content, big(frame.data() + 4) != 0,
                  big(frame.data())};
      if (!frames_.empty()) frames_.back().sound |= follows_content || (follows && summed_before);
      if (found.good) most_pages_ = std::max(most_pages_, big(frame.data() + 4));
      frames_.push_back(found);
      summed_before = sum == stored;
      before = stored;
      before_by_content = sum;
    }
    return {};
  }

  std::string header_;
  std::string salt_;  // told by the header, and by each frame that belongs to it
  std::uint32_t page_bytes_ = 0;
  bool big_endian_ = false;
  bool header_good_ = false;
  std::uint32_t most_pages_ = 0;  // of the database, after any good commit
  std::vector<Frame> frames_;
};

std::string log_of(const std::filesystem::path& path) {
  return path.string() + "-wal";
}

bool log_exists(const std::string& path, const std::string& vfs) {
  sqlite3_vfs* files = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  int exists = 0;
  return files != nullptr &&
         files->xAccess(files, path.c_str(), SQLITE_ACCESS_EXISTS, &exists) == SQLITE_OK && exists != 0;
}

Result<std::string> read_all(const std::string& path, const std::string& vfs) {
  auto file = VfsFile::open(path, vfs, SQLITE_OPEN_READONLY);
  if (!file) return file.error();
  const auto bytes = file->size();
  if (!bytes) return bytes.error();
  std::string all(*bytes, '\0');
  auto whole = file->read(0, all);
  if (!whole) return whole.error();
  return all;
}

/// In a rollback journal's mode, which an image in memory has to be in.
void leave_wal_mode(std::string& image) {
  constexpr std::size_t kWriteVersion = 18;
  constexpr std::size_t kReadVersion = 19;
  if (image.size() > kReadVersion) image[kWriteVersion] = image[kReadVersion] = 1;
}

}  // namespace

std::string to_text(const WalDamage& damage) {
  return fmt::format("{} {} behind damage at byte {}", damage.commits,
                     damage.commits == 1 ? "commit lies" : "commits lie", damage.offset);
}

Result<std::optional<WalDamage>> find_wal_damage(const std::filesystem::path& path, const std::string& vfs) {
  const std::string name = log_of(path);
  // Somebody may be writing: what is damage stays where it is.
  std::optional<WalDamage> before;
  for (int look = 0; look < kLooks; ++look) {
    if (!log_exists(name, vfs)) return std::optional<WalDamage>{};
    auto file = VfsFile::open(name, vfs, SQLITE_OPEN_READONLY);
    if (!file && !log_exists(name, vfs)) return std::optional<WalDamage>{};
    if (!file) return file.error();
    const auto log = Log::read(*file);
    if (!log) return log.error();
    const auto damage = log->damage();
    if (!damage || (before && before->offset == damage->offset)) return damage;
    before = damage;
  }
  return std::optional<WalDamage>{};
}

Result<std::vector<std::string>> images_behind_damage(const std::filesystem::path& path,
                                                      const std::string& vfs) {
  const std::string name = log_of(path);
  if (!log_exists(name, vfs)) return std::vector<std::string>{};
  auto file = VfsFile::open(name, vfs, SQLITE_OPEN_READONLY);
  if (!file) return file.error();
  const auto log = Log::read(*file);
  if (!log) return log.error();
  if (!log->damage()) return std::vector<std::string>{};
  auto base = read_all(path.string(), vfs);
  if (!base) return base.error();
  const std::size_t page_bytes = log->frame_bytes() - kFrameHeaderBytes;
  // Each page of a database was in a frame once.
  const std::size_t pages =
      std::min<std::size_t>(log->most_pages(), base->size() / page_bytes + log->frames().size());
  base->resize(pages * page_bytes);
  std::vector<std::string> images(2, *base);
  std::string frame(log->frame_bytes(), '\0');
  for (std::size_t i = 0; i < log->committed(); ++i) {
    const Frame& each = log->frames()[i];
    if (each.page == 0 || each.page > pages) continue;
    if (auto read = file->read(log->offset(i), frame); !read) return read.error();
    const std::size_t at = std::size_t{each.page - 1} * page_bytes;
    images[0].replace(at, page_bytes, frame, kFrameHeaderBytes, page_bytes);
    if (each.good || each.sound) images[1].replace(at, page_bytes, frame, kFrameHeaderBytes, page_bytes);
  }
  for (std::string& image : images) leave_wal_mode(image);
  return images;
}

std::uint64_t look_at_logs(const std::filesystem::path& directory, const std::string& vfs) {
  // Of partitions commits are not synced: whatever their logs lack is in the journal.
  std::vector<std::string> names{kIndexFile, "meta.db", "access.db"};
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.starts_with("journal-") && name.ends_with(".db")) names.push_back(name);
  }
  std::uint64_t damaged = 0;
  for (const std::string& name : names) {
    const auto damage = find_wal_damage(directory / name, vfs);
    const std::string file = (directory / log_of(name)).string();
    if (!damage) {
      log::warn("history", "a write-ahead log cannot be looked at",
                {{"file", file}, {"error", damage.error()}});
      continue;
    }
    if (!*damage) continue;
    ++damaged;
    log::error("history",
               name.starts_with("journal-")
                   ? "a write-ahead log is damaged: what the damage hit is lost"
                   : "a write-ahead log is damaged: what was committed behind it is lost",
               {{"file", file}, {"damage", to_text(**damage)}});
  }
  return damaged;
}

}  // namespace vigil::aggregator
