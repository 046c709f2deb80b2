// Partitions and journals: every checksum, and index and blocks side by side.
#include "aggregator/store/block_index.h"
#include "aggregator/store/check_parts.h"
#include "aggregator/store/encoding.h"
#include "aggregator/store/migrations.h"
#include "aggregator/store/series_set.h"

#include <algorithm>

namespace vigil::aggregator::checks {
namespace {

// Both in the order of blocks: one walk beside the other, whatever their number.
constexpr const char* kListed =
    "SELECT block, host, source, first_ms, last_ms, samples, bytes, first_series, last_series, bucket FROM "
    "block_index ORDER BY block";
constexpr const char* kBlocks = "SELECT id, data FROM block WHERE id>? ORDER BY id";

/// A row of block_index.
struct Listed {
  std::int64_t block = 0;
  std::int64_t host = 0;
  std::int64_t source = 0;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::int64_t samples = 0;
  std::int64_t bytes = 0;
  std::int64_t first_series = 0;
  std::int64_t last_series = 0;
  std::int64_t bucket = 0;
  friend bool operator==(const Listed&, const Listed&) = default;
};

class PartitionCheck {
 public:
  PartitionCheck(Check& check, const StoredFile& file, const Index& index)
      : check_(check), file_(file), index_(index) {}

  void run(Database& database) {
    auto listed = database.prepare(kListed);
    auto blocks = database.prepare(kBlocks);
    if (!listed || !blocks) return check_.found(listed ? blocks.error().message : listed.error().message);
    listed_ = std::move(*listed);
    blocks_ = std::move(*blocks);
    load_held(database);
    walk();
  }

 private:
  void load_held(Database& database) {
    auto read = database.prepare("SELECT host, first_series, last_series FROM held");
    auto more = read ? read->step() : Result<bool>(read.error());
    for (; more && *more; more = read->step())
      held_[read->integer(0)].add(
          {static_cast<SeriesId>(read->integer(1)), static_cast<SeriesId>(read->integer(2))});
    if (!more) check_.found(fmt::format("which series it holds cannot be read: {}", more.error().message));
  }

  /// Tiers leave out series that were there briefly.
  bool lists_all(const SealedBlock& block) const {
    const auto held = held_.find(row_->host);
    return file_.kind != FileKind::raw || (held != held_.end() && held->second.contains_all(block.series()));
  }

  void walk() {
    next_listed();
    restart_after(std::numeric_limits<std::int64_t>::min());
    while (!check_.ended() && (row_ || block_)) {
      if (row_ && (!block_ || row_->block < *block_)) {
        tell(*row_,
             unreadable_ ? "its block cannot be read" : "it is in the index, but its block is not there");
        const std::int64_t missing = row_->block;
        next_listed();
        if (unreadable_) restart_after(missing);
      } else if (!row_ || *block_ < row_->block) {
        if (index_read_) check_.found(fmt::format("block {} is in no index: nothing reads it", *block_));
        next_block();
      } else {
        compare();
        next_listed();
        next_block();
      }
    }
  }

  void next_listed() {
    row_.reset();
    const auto more = listed_.step();
    if (!more) {
      index_read_ = false;
      return check_.found(fmt::format("the index of blocks cannot be read: {}", more.error().message));
    }
    if (!*more) return;
    row_ = Listed{listed_.integer(0), listed_.integer(1), listed_.integer(2), listed_.integer(3),
                  listed_.integer(4), listed_.integer(5), listed_.integer(6), listed_.integer(7),
                  listed_.integer(8), listed_.integer(9)};
  }

  /// After a block that SQLite cannot reach the others are looked for behind it.
  void restart_after(std::int64_t id) {
    unreadable_ = false;
    blocks_.reset();
    blocks_.bind(id);
    next_block();
  }

  void next_block() {
    block_.reset();
    const auto more = blocks_.step();
    unreadable_ = !more;
    if (!more && !row_) check_.found(fmt::format("blocks cannot be read: {}", more.error().message));
    if (more && *more) block_ = blocks_.integer(0);
  }

  void compare() {
    ++check_.totals().blocks;
    (void)check_.advance(blocks_.bytes(1).size());
    const auto sealed = SealedBlock::open(std::string(blocks_.bytes(1)));
    if (!sealed) return tell(*row_, fmt::format("the block is damaged: {}", sealed.error().message));
    check_.totals().samples += (*sealed)->samples();
    const auto [least, most] = std::minmax_element((*sealed)->series().begin(), (*sealed)->series().end());
    Listed is = *row_;
    is.first_ms = (*sealed)->first_ms();
    is.last_ms = (*sealed)->last_ms();
    is.samples = static_cast<std::int64_t>((*sealed)->samples());
    is.bytes = static_cast<std::int64_t>((*sealed)->bytes().size());
    is.first_series = *least;
    is.last_series = *most;
    is.bucket = bucket_of(is.first_ms);
    if (is != *row_) tell(*row_, "the index does not say what is in the block");
    if (!lists_all(**sealed))
      tell(*row_, "the file does not list all of its series: they may leave too early");
    const Tier tier = static_cast<Tier>(file_.kind);
    if (is.first_ms < file_.period_ms || is.first_ms >= next_period_ms(tier, file_.period_ms))
      tell(*row_, "it does not belong into this file's time: nothing finds it");
    check_names();
  }

  /// A host that came after the index was read is in it by now.
  void check_names() {
    if (known()) return;
    if (!std::exchange(refreshed_, true)) {
      if (auto index = read_index(check_.scope())) fresh_ = std::move(*index);
    }
    if (!known())
      tell(*row_, fmt::format("host {} or source {} is not in the index", row_->host, row_->source));
  }
  bool known() const {
    return (index_.hosts.contains(row_->host) && index_.sources.contains(row_->source)) ||
           (fresh_.hosts.contains(row_->host) && fresh_.sources.contains(row_->source));
  }

  void tell(const Listed& row, std::string what) {
    const auto host = index_.hosts.find(row.host);
    const auto source = index_.sources.find(row.source);
    check_.found({{},
                  host == index_.hosts.end() ? fmt::format("number {}", row.host) : host->second,
                  source == index_.sources.end() ? fmt::format("number {}", row.source) : source->second,
                  row.first_ms,
                  row.last_ms,
                  std::move(what)});
  }

  Check& check_;
  const StoredFile& file_;
  const Index& index_;
  Index fresh_;
  bool refreshed_ = false;
  Statement listed_;
  Statement blocks_;
  std::map<std::int64_t, SeriesSet> held_;  // by host
  std::optional<Listed> row_;
  std::optional<std::int64_t> block_;
  bool unreadable_ = false;  // what comes next among the blocks
  bool index_read_ = true;   // as far as it goes
};

}  // namespace

void check_partition(Check& check, const StoredFile& file, const Index& index) {
  const std::string name = partition_name(static_cast<Tier>(file.kind), file.period_ms, file.number);
  auto database = begin_reading(check.scope().directory / name, check.scope().vfs);
  if (!database) return check.found(fmt::format("SQLite cannot read it: {}", database.error().message));
  const auto tables = database->integer("SELECT count(*) FROM sqlite_schema");
  if (tables && *tables == 0) return;  // made, but nothing was put into it yet
  if (auto known = check_format(*database, partition_format(), name); !known)
    return check.found(known.error().message);
  PartitionCheck(check, file, index).run(*database);
}

void check_journal(Check& check, const std::string& name) {
  auto database = begin_reading(check.scope().directory / name, check.scope().vfs);
  if (!database) return check.found(fmt::format("SQLite cannot read it: {}", database.error().message));
  const auto tables = database->integer("SELECT count(*) FROM sqlite_schema");
  if (tables && *tables == 0) return;
  if (auto known = check_format(*database, journal_format(), name); !known)
    return check.found(known.error().message);
  quick_check(check, *database);
  auto groups = database->prepare("SELECT id, entries FROM entry_group ORDER BY id");
  if (!groups) return check.found(groups.error().message);
  auto more = groups->step();
  for (; more && *more; more = groups->step()) {
    ++check.totals().groups;
    const auto read = read_group(groups->bytes(1), [](const EntryView&) {});
    if (!read) check.found(fmt::format("group {} is damaged: {}", groups->integer(0), read.error().message));
    if (!check.advance(groups->bytes(1).size())) return;
  }
  if (!more) check.found(fmt::format("its groups cannot be read further: {}", more.error().message));
}

}  // namespace vigil::aggregator::checks
