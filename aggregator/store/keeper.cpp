#include "aggregator/store/keeper.h"

#include "aggregator/store/files.h"
#include "common/log/log.h"

#include <algorithm>
#include <future>
#include <thread>

namespace vigil::aggregator {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kShare = std::chrono::milliseconds(100);  // of a tick
constexpr std::int64_t kLookMs = 10'000;
constexpr std::int64_t kLateMs = 10 * kMinuteMs;  // after a day's end, and after the last late block
constexpr std::int64_t kRetryMs = 10 * kMinuteMs;

}  // namespace

Keeper::Keeper(const HistoryOptions& options, Writer& writer, const Surroundings& surroundings)
    : options_(options),
      writer_(writer),
      catalogue_(surroundings.catalogue),
      index_path_((options.directory / kIndexFile).string()),
      surroundings_{options, writer, catalogue_, surroundings.connections, index_path_},
      unused_(catalogue_, surroundings.pending, surroundings.connections, index_path_) {
  complete_from_ms_.fill(std::numeric_limits<std::int64_t>::min());
  worker_.every(kTick, [this] { tick(); });
}

Result<void> Keeper::load(Tables& tables) {
  for (const Tier tier : kTiers) {
    const auto from = tables.complete_from(tier);
    if (!from) return from.error();
    complete_from_ms_.at(static_cast<std::size_t>(tier)) = *from;
  }
  return {};
}

std::int64_t Keeper::complete_from_ms(Tier tier) const {
  const std::lock_guard lock(mutex_);
  return complete_from_ms_.at(static_cast<std::size_t>(tier));
}

// The newest block bounds what is believed about now: a clock that jumps ahead by a year must not empty the
// history.
std::int64_t Keeper::now_ms() const {
  return std::min(options_.now_ms(), catalogue_.newest_ms());
}

/// Whether nothing was added for a while.
bool Keeper::quiet(const PartitionInfo& file, std::int64_t now_ms) {
  const auto [at, first_look] = seen_.try_emplace(file.file.number, Seen{file.totals.blocks, now_ms});
  Seen& seen = at->second;
  if (seen.blocks != file.totals.blocks || seen.since_ms > now_ms) seen = {file.totals.blocks, now_ms};
  return now_ms - seen.since_ms >= kLateMs;
}

std::optional<std::int64_t> Keeper::due_day(Patience patience) {
  const std::int64_t now = options_.now_ms();
  std::optional<std::int64_t> due;
  for (const PartitionInfo& file : catalogue_.all(Tier::raw)) {
    if (file.file.form == FileForm::compacted) continue;
    if (file.file.period_ms + kDayMs + kLateMs > now) continue;
    if (patience == Patience::wait_for_late_blocks && file.file.form == FileForm::open && !quiet(file, now))
      continue;
    if (!due) due = file.file.period_ms;  // the oldest first
  }
  return due;
}

/// True: no job is left.
Result<bool> Keeper::continue_job() {
  auto done = job_->step();
  if (!done) {
    // Its output is whole, and putting it in place can be done twice: it waits for room.
    if (done.error().code == Errc::limit && job_->complete()) return done;
    job_->abandon();
    job_.reset();
    return done;
  }
  if (!*done) return false;
  log::debug("history", "a day was compacted", {{"day_ms", job_->day_ms()}});
  job_.reset();
  return true;
}

void Keeper::tick() {
  const std::int64_t now = options_.now_ms();
  if (now < retry_at_ms_ && retry_at_ms_ - now <= kRetryMs) return;
  if (!job_ && now < look_at_ms_ && look_at_ms_ - now <= kLookMs) return;
  look_at_ms_ = now + kLookMs;
  if (!job_) {
    if (const auto day = due_day(Patience::wait_for_late_blocks)) job_.emplace(*day, surroundings_);
  }
  Result<bool> done = true;
  const auto end = std::chrono::steady_clock::now() + kShare;
  while (job_ && done && std::chrono::steady_clock::now() < end) done = continue_job();
  Result<void> result = done ? Result<void>() : Result<void>(done.error());
  if (result && !job_) result = retire();
  if (result) return;
  retry_at_ms_ = now + kRetryMs;
  log::warn("history", "compaction or retention has to wait", {{"error", result.error()}});
}

Result<void> Keeper::tidy() {
  std::promise<Result<void>> done;
  const bool posted = worker_.post([&] {
    Result<void> result;
    for (auto day = due_day(Patience::none); result && (job_ || day); day = due_day(Patience::none)) {
      if (!job_) job_.emplace(*day, surroundings_);
      const auto finished = continue_job();
      if (!finished) result = finished.error();
      if (finished && !*finished) std::this_thread::yield();  // a reader may be in the way
    }
    done.set_value(result ? retire() : result);
  });
  if (!posted) return fail(Errc::unavailable, "history is not running");
  return done.get_future().get();
}

// ---- retention

/// Files of this period and before go so that the rest fits; never the newest period.
std::int64_t Keeper::size_limit_ms(Tier tier, const std::vector<PartitionInfo>& files) const {
  const std::uint64_t most = options_.keep.at(static_cast<std::size_t>(tier)).max_bytes;
  if (most == 0) return std::numeric_limits<std::int64_t>::min();
  std::uint64_t sum = 0;
  std::int64_t newest = std::numeric_limits<std::int64_t>::min();
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    if (newest == std::numeric_limits<std::int64_t>::min()) newest = file->file.period_ms;
    sum += database_bytes(file->path);
    if (sum > most && file->file.period_ms != newest) return file->file.period_ms;
  }
  return std::numeric_limits<std::int64_t>::min();
}

Result<void> Keeper::retire_tier(Tier tier) {
  const auto files = catalogue_.all(tier);
  const std::int64_t by_size = size_limit_ms(tier, files);
  const std::int64_t keep =
      std::chrono::milliseconds(options_.keep.at(static_cast<std::size_t>(tier)).keep).count();
  const std::int64_t before = keep == 0 ? std::numeric_limits<std::int64_t>::min() : now_ms() - keep;
  Writer::Retirement retirement{tier, {}, complete_from_ms(tier)};
  std::uint64_t blocks = 0;
  for (const PartitionInfo& file : files) {
    const std::int64_t end = next_period_ms(tier, file.file.period_ms);
    if (end > before && file.file.period_ms > by_size) continue;
    // Raw samples go only after their tiers were made.
    if (tier == Tier::raw && file.file.form != FileForm::compacted) continue;
    retirement.files.push_back(file.file.number);
    retirement.complete_from_ms = std::max(retirement.complete_from_ms, end);
    blocks += file.totals.blocks;
  }
  if (retirement.files.empty()) return {};
  if (auto retired = writer_.retire(retirement); !retired) return retired;
  writer_.count_retired(blocks);
  ++retirements_;
  const std::lock_guard lock(mutex_);
  complete_from_ms_.at(static_cast<std::size_t>(tier)) = retirement.complete_from_ms;
  return {};
}

Result<void> Keeper::retire() {
  for (const Tier tier : kTiers) {
    if (auto retired = retire_tier(tier); !retired) return retired;
  }
  const std::int64_t keep = std::chrono::milliseconds(options_.keep.back().keep).count();
  return keep == 0 ? Result<void>() : writer_.retire_gaps(now_ms() - keep);
}

// ---- series nobody has a block of

// On this thread, so that no file it looks into is replaced or removed meanwhile.
std::shared_ptr<const UnusedSeries> Keeper::ask_unused(std::vector<HostId> hosts) {
  auto answer = std::make_shared<UnusedSeries>();
  const bool posted = worker_.post([this, answer, hosts = std::move(hosts)] {
    auto found = unused_.find(hosts);
    if (found) answer->hosts = std::move(*found);
    if (!found)
      log::warn("history", "series that ended cannot leave: which have data is not known",
                {{"error", found.error()}});
    answer->failed = !found;
    answer->answered = true;
  });
  return posted ? answer : nullptr;
}

}  // namespace vigil::aggregator
