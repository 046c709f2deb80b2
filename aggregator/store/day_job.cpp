#include "aggregator/store/day_job.h"

#include "aggregator/store/block_index.h"
#include "common/log/log.h"

#include <algorithm>
#include <set>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kMergedCells = std::size_t{1} << 22;  // 32 MB while it is made
constexpr std::size_t kCommitBlocks = 256;
constexpr std::size_t kManyFiles = 4;  // of one day that are compacted already
constexpr const char* kPieces = "SELECT DISTINCT host, source FROM block_index";
const std::string kDueBlocks =
    over_buckets("(SELECT data FROM block WHERE id=i.block)",
                 "host=?3 AND source=?4 AND first_ms>=?5 AND first_ms<?6 ORDER BY first_ms, i.block");
constexpr const char* kKinds = "SELECT id, type, encoding FROM series WHERE host=? ORDER BY id";

Result<std::shared_ptr<const SealedBlock>> seal_block(const Block& block) {
  return SealedBlock::open(seal(block));
}

}  // namespace

// ---- tiers

Result<void> TierWriter::open(std::int64_t time_ms) {
  const std::int64_t period = period_start_ms(tier_, time_ms);
  const auto files = catalogue_.all(tier_);
  auto file = std::ranges::find(files, period, [](const PartitionInfo& each) { return each.file.period_ms; });
  PartitionInfo info;
  if (file == files.end()) {
    auto made = writer_.make_file(tier_, FileForm::open, period);
    if (!made) return made.error();
    info = std::move(*made);
  } else {
    info = *file;
  }
  auto partition = Partition::open(info.path, vfs_);
  if (!partition) return partition.error();
  number_ = info.file.number;
  partition_ = std::move(*partition);
  return {};
}

Result<void> TierWriter::replace(const Day& day,
                                 const std::vector<std::shared_ptr<const SealedBlock>>& blocks) {
  if (!partition_) {
    if (auto opened = open(day.day_ms); !opened) return opened;
  }
  if (auto begun = partition_->begin(); !begun) return begun;
  auto done = [&]() -> Result<void> {
    const auto gone = partition_->remove(day.host, day.source, {day.day_ms, day.day_ms + kDayMs - 1});
    if (!gone) return gone.error();
    BlockTotals added;
    for (const auto& block : blocks) {
      const auto stored =
          partition_->put_block({day.host, day.source, block.get(), kAggregatesPerSeries, day.brief});
      if (!stored) return stored.error();
      added += {1, block->bytes().size(), block->samples()};
    }
    if (auto committed = partition_->commit(); !committed) return committed;
    catalogue_.cover(number_, day.day_ms, day.day_ms + kDayMs - 1);
    catalogue_.add(number_, added, *gone);
    return {};
  }();
  if (!done) partition_->rollback();
  return done;
}

Result<bool> TierWriter::finish() {
  if (!partition_) return true;
  auto complete = partition_->checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  if (!complete || !*complete) return complete;
  partition_.reset();
  return true;
}

// ---- the job

DayJob::DayJob(std::int64_t day_ms, const Surroundings& surroundings)
    : day_ms_(day_ms),
      around_(surroundings),
      minute_(Tier::minute, surroundings.options.vfs, surroundings.writer, surroundings.catalogue),
      hour_(Tier::hour, surroundings.options.vfs, surroundings.writer, surroundings.catalogue) {}

Result<bool> DayJob::step() {
  switch (phase_) {
    case Phase::begin: {
      const auto begun = begin();
      if (begun && *begun) phase_ = Phase::work;
      return begun ? Result<bool>(false) : begun;
    }
    case Phase::work: {
      if (next_ == pieces_.size()) {
        phase_ = Phase::sync;
        return false;
      }
      auto worked = work_hour(pieces_[next_], day_ms_ + hour_ms_);
      hour_ms_ += kHourMs;
      if (worked && hour_ms_ == kDayMs) worked = finish_piece(pieces_[next_]);
      if (!worked) return worked.error();
      if (hour_ms_ == kDayMs) {
        hour_ms_ = 0;
        ++next_;
      }
      return false;
    }
    case Phase::sync: {
      const auto synced = sync();
      if (synced && *synced) phase_ = Phase::replace;
      return synced ? Result<bool>(false) : synced;
    }
    case Phase::replace: {
      std::vector<std::int64_t> numbers;
      for (const PartitionInfo& file : input_) numbers.push_back(file.file.number);
      if (auto replaced = around_.writer.replace(numbers, output_); !replaced) return replaced.error();
      return true;
    }
  }
  return fail(Errc::internal, "a day's job in no phase");
}

void DayJob::abandon() {
  built_.reset();
  // Once it was to replace the others only the next start can tell whether it did: a commit whose sync failed
  // may count all the same.
  if (output_.file.number != 0 && phase_ != Phase::replace)
    (void)around_.writer.remove_file(output_.file.number);
}

/// False: a reader is in the way.
Result<bool> DayJob::begin() {
  all_ = around_.catalogue.all(Tier::raw);
  std::erase_if(all_, [&](const PartitionInfo& file) { return file.file.period_ms != day_ms_; });
  const auto compacted = [](const PartitionInfo& file) { return file.file.form == FileForm::compacted; };
  input_ = all_;
  if (static_cast<std::size_t>(std::ranges::count_if(all_, compacted)) < kManyFiles)
    std::erase_if(input_, compacted);
  for (const PartitionInfo& file : input_) {
    if (file.file.form != FileForm::open) continue;
    auto finished = around_.writer.finish(file.file.number);
    if (!finished || !*finished) return finished;
  }
  auto output = around_.writer.make_file(Tier::raw, FileForm::building, day_ms_);
  if (!output) return output.error();
  output_ = std::move(*output);
  auto built = Partition::build(output_.path, around_.options.vfs);
  if (!built) return built.error();
  built_ = std::move(*built);
  if (auto listed = list_pieces(); !listed) return listed.error();
  return true;
}

Result<void> DayJob::list_pieces() {
  std::set<Piece> pieces;
  for (const PartitionInfo& file : input_) {
    auto connection = around_.connections.borrow(file.file.number, file.path);
    if (!connection) return connection.error();
    auto list = (*connection)->statement(kPieces);
    if (!list) return list.error();
    auto more = (*list)->step();
    for (; more && *more; more = (*list)->step())
      pieces.insert({static_cast<HostId>((*list)->integer(0)), (*list)->integer(1)});
    if (!more) return more.error();
  }
  pieces_.assign(pieces.begin(), pieces.end());
  return {};
}

Result<void> DayJob::load_from(const PartitionInfo& file, const Piece& piece, std::int64_t hour_ms,
                               std::vector<Block>& blocks) {
  auto connection = around_.connections.borrow(file.file.number, file.path);
  if (!connection) return connection.error();
  auto read = (*connection)->statement(kDueBlocks.c_str());
  if (!read) return read.error();
  (*read)->bind(bucket_of(hour_ms), bucket_of(hour_ms + kHourMs - 1), std::int64_t{piece.host}, piece.source,
                hour_ms, hour_ms + kHourMs);
  auto more = (*read)->step();
  for (; more && *more; more = (*read)->step()) {
    const auto sealed = SealedBlock::open(std::string((*read)->bytes(0)));
    auto block = sealed ? (*sealed)->decode() : Result<Block>(sealed.error());
    if (block) {
      blocks.push_back(std::move(*block));
      continue;
    }
    log::error("history", "a damaged block is lost",
               {{"file", file.path}, {"host", piece.host}, {"error", block.error()}});
  }
  if (!more) return more.error();
  return {};
}

Result<std::vector<Block>> DayJob::load(const Piece& piece, std::int64_t hour_ms,
                                        const std::vector<PartitionInfo>& files) {
  std::vector<Block> blocks;
  for (const PartitionInfo& file : files) {
    if (auto loaded = load_from(file, piece, hour_ms, blocks); !loaded) return loaded.error();
  }
  std::stable_sort(blocks.begin(), blocks.end(), [](const Block& left, const Block& right) {
    return left.times_ms.front() < right.times_ms.front();
  });
  return blocks;
}

/// One block, as far as they fit.
std::vector<Block> DayJob::join(std::vector<Block> blocks) {
  std::vector<Block> joined;
  Merger merger(kMergedCells);
  for (Block& block : blocks) {
    if (!merger.add(block)) {
      joined.push_back(merger.take());
      (void)merger.add(block);  // an empty one takes everything
    }
    block = {};
  }
  if (!merger.empty()) joined.push_back(merger.take());
  return joined;
}

Result<void> DayJob::work_hour(const Piece& piece, std::int64_t hour_ms) {
  if (auto loaded = load_kinds(piece.host); !loaded) return loaded;
  auto blocks = load(piece, hour_ms, input_);
  if (!blocks) return blocks.error();
  auto joined = join(std::move(*blocks));
  if (auto compacted = compact(piece, joined); !compacted) return compacted;
  if (input_.size() < all_.size()) {
    auto whole = load(piece, hour_ms, all_);
    if (!whole) return whole.error();
    joined = join(std::move(*whole));
  }
  return roll_up(hour_ms, joined);
}

Result<void> DayJob::compact(const Piece& piece, const std::vector<Block>& joined) {
  for (const Block& block : joined) {
    const auto sealed = seal_block(block);
    if (!sealed) return sealed.error();
    if (uncommitted_ == 0) {
      if (auto begun = built_->begin(); !begun) return begun;
    }
    const auto stored = built_->put_block({piece.host, piece.source, sealed->get()});
    if (!stored) return stored.error();
    output_.totals += {1, (*sealed)->bytes().size(), (*sealed)->samples()};
    output_.cover((*sealed)->first_ms(), (*sealed)->last_ms());
    if (++uncommitted_ < kCommitBlocks) continue;
    if (auto committed = built_->commit(); !committed) return committed;
    uncommitted_ = 0;
  }
  return {};
}

Result<void> DayJob::load_kinds(HostId host) {
  if (kinds_of_ == host) return {};
  kinds_.clear();
  auto connection = around_.connections.borrow(0, around_.index_path);
  if (!connection) return connection.error();
  auto read = (*connection)->statement(kKinds);
  if (!read) return read.error();
  (*read)->bind(std::int64_t{host});
  auto more = (*read)->step();
  for (; more && *more; more = (*read)->step()) {
    const auto id = static_cast<std::size_t>((*read)->integer(0));
    if (kinds_.size() <= id) kinds_.resize(id + 1);
    kinds_[id] = {static_cast<SeriesType>((*read)->integer(1)), static_cast<Encoding>((*read)->integer(2))};
  }
  if (!more) return more.error();
  kinds_of_ = host;
  return {};
}

/// Blocks that begin in this hour. After them nothing comes that has rows of it.
Result<void> DayJob::roll_up(std::int64_t hour_ms, const std::vector<Block>& joined) {
  if (!hour_rows_) hour_rows_.emplace(Rollup::Span{day_ms_, day_ms_ + kDayMs, kHourMs});
  for (const Block& block : joined) {
    hour_rows_->add(block, kinds_);
    for (std::int64_t hour = hour_ms; hour <= block.times_ms.back(); hour += kHourMs) {
      const auto at = minute_rows_.try_emplace(hour, Rollup::Span{hour, hour + kHourMs, kMinuteMs}).first;
      at->second.add(block, kinds_);
    }
  }
  const auto complete = minute_rows_.find(hour_ms);
  if (complete == minute_rows_.end()) return {};
  const auto rows = complete->second.take();
  minute_rows_.erase(complete);
  if (!rows) return {};
  auto sealed = seal_block(*rows);
  if (!sealed) return sealed.error();
  minute_blocks_.push_back(std::move(*sealed));
  return {};
}

Result<void> DayJob::finish_piece(const Piece& piece) {
  const TierWriter::Day day{piece.host, piece.source, day_ms_,
                            hour_rows_->brief(around_.options.brief.count())};
  if (auto put = minute_.replace(day, std::exchange(minute_blocks_, {})); !put) return put;
  minute_rows_.clear();
  std::vector<std::shared_ptr<const SealedBlock>> hours;
  if (const auto rows = hour_rows_->take()) {
    auto sealed = seal_block(*rows);
    if (!sealed) return sealed.error();
    hours.push_back(std::move(*sealed));
  }
  hour_rows_.reset();
  return hour_.replace(day, hours);
}

/// False: a reader of a tier is in the way.
Result<bool> DayJob::sync() {
  if (built_) {
    if (uncommitted_ > 0) {
      if (auto committed = built_->commit(); !committed) return committed.error();
      uncommitted_ = 0;
    }
    if (auto finished = built_->finish(); !finished) return finished.error();
    built_.reset();
    output_.file.form = FileForm::compacted;
  }
  for (TierWriter* tier : {&minute_, &hour_}) {
    auto finished = tier->finish();
    if (!finished && finished.error().code == Errc::io) around_.writer.give_up(finished.error());
    if (!finished || !*finished) return finished;
  }
  return true;
}

}  // namespace vigil::aggregator
