#include "agent/spool/spool.h"

#include "common/log/log.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace vigil::agent {
namespace {

constexpr std::string_view kSuffix = ".segment";
constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kNumberDigits = 8;

/// The number in `STREAM-NUMBER.segment`; nothing for other files.
std::optional<std::uint64_t> number_in(std::string_view name) {
  if (name.size() != kIdDigits + 1 + kNumberDigits + kSuffix.size() || !name.ends_with(kSuffix)) return {};
  const std::string_view digits = name.substr(kIdDigits + 1, kNumberDigits);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return {};
  return number;
}

/// By stream, as in file names: what damage took behind its last usable segment. What it took before one is a
/// hole between two batches, of which the stream tells when it is delivered.
using Damage = std::map<std::string, BatchRange>;

/// False: nothing was lost. An empty file, or one whose end was torn off by a power cut, held nothing that
/// was promised.
bool note_damage(const std::string& name, const std::string& bytes,
                 const std::optional<SegmentContent>& content, Damage& damage) {
  if (bytes.empty()) return false;
  const auto range = damaged_range(bytes, content);
  log::write(range ? log::Level::error : log::Level::warn, "spool",
             range ? "a segment is damaged, and what is behind the damage is lost"
                   : "the end of a segment is damaged and left out",
             {{"file", name}, {"good_bytes", content ? content->good_bytes : 0}, {"bytes", bytes.size()}});
  if (!range) return false;
  const auto [at, added] = damage.emplace(name.substr(0, kIdDigits), *range);
  if (added) return true;
  at->second.last_seq = std::max(at->second.last_seq, range->last_seq);
  at->second.last_time_ms = std::max(at->second.last_time_ms, range->last_time_ms);
  return true;
}

}  // namespace

Spool::Spool(std::shared_ptr<Disk> disk, SpoolStream stream)
    : disk_(std::move(disk)), stream_(std::move(stream)) {}

Result<Spool::Leftovers> Spool::leftovers(const std::shared_ptr<Disk>& disk) {
  auto found = find_leftovers(*disk);
  if (found)
    for (auto& spool : found->spools) spool->bind(disk);
  return found;
}

Result<Spool::Leftovers> Spool::find_leftovers(Disk& disk) {
  const auto names = disk.list();
  if (!names) return names.error();
  Leftovers out;
  Damage damage;
  std::map<std::string, std::unique_ptr<Spool>> by_stream;
  for (const std::string& name : *names) {  // sorted: those of a stream in the order they were written
    if (!number_in(name)) continue;
    const auto bytes = disk.read(name);
    if (!bytes) {
      log::error("spool", "a segment cannot be read and is left out", {{"error", bytes.error()}});
      continue;
    }
    if (is_newer_segment(*bytes)) {
      out.newer.push_back(name);
      continue;
    }
    const auto content = decode_segment(*bytes);
    const bool holds = content && !content->batches.empty();
    bool used = false;
    if (holds) {
      auto& spool = by_stream[content->stream.stream_id];
      if (!spool) spool = std::make_unique<Spool>(nullptr, content->stream);
      used = spool->adopt(name, *content);
      if (used) damage.erase(name.substr(0, kIdDigits));
    }
    const bool whole = holds && content->good_bytes == bytes->size();
    const bool lost = !whole && (used || !holds) && note_damage(name, *bytes, content, damage);
    if (used) continue;
    if (lost) {
      out.unusable.push_back(name);
      continue;
    }
    if (auto removed = disk.remove(name); !removed)
      log::warn("spool", "cannot remove a segment", {{"error", removed.error()}});
  }
  for (const auto& [stream, range] : damage) out.damaged.push_back(range);
  for (auto& [id, spool] : by_stream) out.spools.push_back(std::move(spool));
  std::sort(out.spools.begin(), out.spools.end(),
            [](const auto& a, const auto& b) { return a->first_time_ms() < b->first_time_ms(); });
  return out;
}

bool Spool::adopt(const std::string& name, const SegmentContent& content) {
  const bool follows = segments_.empty() || content.batches.front().seq > last_seq();
  if (!follows) return false;
  Segment segment{name, {}, {}, content.good_bytes};
  segment.range = {content.batches.front().seq, content.batches.back().seq,
                   content.batches.front().first_time_ms, content.batches.back().last_time_ms};
  for (const EncodedBatch& batch : content.batches)
    if (batch.keyframe) segment.keyframes.push_back(batch.seq);
  bytes_ += segment.bytes;
  segments_.push_back(std::move(segment));
  number_ = std::max(number_, number_in(name).value_or(0) + 1);
  return true;
}

std::string Spool::name_of(std::uint64_t number) const {
  std::string hex;
  for (const char byte : stream_.stream_id) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return fmt::format("{}-{:08}{}", hex, number, kSuffix);
}

Result<void> Spool::append(const EncodedBatch& batch, const Schemas& schemas_before) {
  const bool follows = !empty() && batch.seq == last_seq() + 1;
  const bool over = sync_failed_ || (!empty() && segments_.back().bytes >= kSegmentBytes);
  const bool fresh = empty() || !follows || (batch.keyframe && over);
  if (fresh) return begin_segment(batch, schemas_before);
  Segment& segment = segments_.back();
  const std::string record = encode_record(batch);
  if (auto written = disk_->write(segment.name, segment.bytes, record); !written) return written.error();
  pending_.push_back({disk_->issued(), batch.seq, segment.range, segment.bytes});
  segment.bytes += record.size();
  bytes_ += record.size();
  segment.range.last_seq = batch.seq;
  segment.range.last_time_ms = batch.last_time_ms;
  if (batch.keyframe) segment.keyframes.push_back(batch.seq);
  unsynced_ = true;
  return {};
}

Result<void> Spool::begin_segment(const EncodedBatch& batch, const Schemas& schemas_before) {
  if (!batch.keyframe) return fail(Errc::invalid_argument, "batch {} does not begin a group", batch.seq);
  const std::string name = name_of(number_++);
  const std::string bytes = encode_header(stream_, schemas_before(batch.seq)) + encode_record(batch);
  if (auto written = disk_->write(name, 0, bytes); !written) {
    static_cast<void>(disk_->remove(name));
    return written.error();
  }
  pending_.push_back({disk_->issued(), batch.seq, {}, 0});
  segments_.push_back(
      {name, {batch.seq, batch.seq, batch.first_time_ms, batch.last_time_ms}, {batch.seq}, bytes.size()});
  bytes_ += bytes.size();
  unsynced_ = true;
  sync_failed_ = false;
  return {};
}

bool Spool::written(std::uint64_t seq) {
  while (!pending_.empty() && pending_.front().call <= disk_->done()) pending_.pop_front();
  return holds(seq) && (pending_.empty() || seq < pending_.front().seq);
}

void Spool::failed(const Disk::Failure& failure) {
  if (!failure.name.starts_with(name_of(0).substr(0, kIdDigits))) return;  // another stream's
  if (failure.call == Disk::Call::sync) sync_failed_ = true;
  if (failure.call != Disk::Call::write) return;
  const auto first = std::find_if(pending_.begin(), pending_.end(),
                                  [&](const Pending& each) { return each.call >= failure.number; });
  if (first != pending_.end()) cut(*first);
}

void Spool::cut(Pending from) {
  while (!empty() && segments_.back().range.first_seq >= from.seq) forget(std::prev(segments_.end()));
  if (!empty() && last_seq() >= from.seq) {
    Segment& segment = segments_.back();
    if (segment.name == loaded_name_) loaded_name_.clear();
    bytes_ -= segment.bytes - from.bytes;
    segment.bytes = from.bytes;
    segment.range = from.range;
    std::erase_if(segment.keyframes, [&](std::uint64_t seq) { return seq >= from.seq; });
  }
  std::erase_if(pending_, [&](const Pending& each) { return each.seq >= from.seq; });
}

Result<void> Spool::sync() {
  if (!unsynced_ || empty()) return {};
  Result<void> result;
  for (const Segment& segment : segments_) {
    if (segment.range.last_seq <= synced_seq_) continue;
    if (auto synced = disk_->sync(segment.name); !synced) result = synced;
  }
  // Never a second try: the kernel has given up these pages and would call them clean (fsync(2), errseq).
  sync_failed_ = result.has_error();
  synced_seq_ = last_seq();
  unsynced_ = false;
  return result;
}

void Spool::acknowledge(std::uint64_t durable_seq) {
  durable_seq_ = std::max(durable_seq_, durable_seq);
  while (!empty() && segments_.front().range.last_seq <= durable_seq_) forget(segments_.begin());
}

void Spool::forget(const std::deque<Segment>::iterator& at) {
  if (at->name == loaded_name_) loaded_name_.clear();
  bytes_ -= at->bytes;
  if (auto removed = disk_->remove(at->name); !removed)
    log::warn("spool", "cannot remove a segment", {{"error", removed.error()}});
  segments_.erase(at);
}

std::optional<BatchRange> Spool::drop_oldest() {
  if (empty()) return {};
  const BatchRange range = segments_.front().range;
  forget(segments_.begin());
  return range;
}

void Spool::clear() {
  while (!empty()) forget(segments_.begin());
}

const Spool::Segment* Spool::segment_of(std::uint64_t seq) const {
  const auto after = std::upper_bound(
      segments_.begin(), segments_.end(), seq,
      [](std::uint64_t wanted, const Segment& segment) { return wanted < segment.range.first_seq; });
  if (after == segments_.begin()) return nullptr;
  const Segment& segment = *std::prev(after);
  return seq <= segment.range.last_seq ? &segment : nullptr;
}

BatchRange Spool::hole_before(std::uint64_t seq) const {
  BatchRange hole;
  for (const Segment& segment : segments_) {
    hole.last_seq = seq - 1;
    hole.last_time_ms = segment.range.first_time_ms;
    if (segment.range.last_seq >= seq) return hole;
    hole.first_seq = segment.range.last_seq + 1;
    hole.first_time_ms = segment.range.last_time_ms;
  }
  hole.last_time_ms = 0;
  return hole;
}

std::uint64_t Spool::keyframe_for(std::uint64_t seq) const {
  if (const Segment* segment = segment_of(seq))
    return *std::prev(std::upper_bound(segment->keyframes.begin(), segment->keyframes.end(), seq));
  for (const Segment& segment : segments_)
    if (segment.range.first_seq > seq) return segment.range.first_seq;
  return 0;
}

Spool::Load Spool::load(const Segment& segment) {
  const bool have = loaded_name_ == segment.name && !loaded_.batches.empty() &&
                    loaded_.batches.back().seq >= segment.range.last_seq;
  if (have) return Load::done;
  const auto bytes = disk_->read(segment.name);
  // It is on its way; or there are too many open files, which passes.
  const bool later = !bytes && (bytes.error().code == Errc::unavailable || bytes.error().code == Errc::limit);
  if (later) return Load::later;
  loaded_name_.clear();
  auto content = bytes ? decode_segment(*bytes) : std::nullopt;
  const bool whole = content && !content->batches.empty() &&
                     content->batches.front().seq == segment.range.first_seq &&
                     content->batches.back().seq >= segment.range.last_seq;
  if (!whole) {
    log::error("spool", "a segment cannot be read any more and is lost",
               {{"file", segment.name}, {"error", bytes ? "damaged" : bytes.error().message}});
    return Load::lost;
  }
  loaded_ = std::move(*content);
  loaded_name_ = segment.name;
  return Load::done;
}

bool Spool::ready(std::uint64_t seq) {
  const Segment* segment = segment_of(seq);
  if (segment == nullptr) return true;
  const Load loaded = load(*segment);
  if (loaded == Load::lost)
    forget(std::find_if(segments_.begin(), segments_.end(),
                        [&](const Segment& each) { return each.name == segment->name; }));
  return loaded != Load::later;
}

const EncodedBatch* Spool::find(std::uint64_t seq) {
  if (!ready(seq) || segment_of(seq) == nullptr) return nullptr;
  return &loaded_.batches[seq - loaded_.batches.front().seq];
}

std::vector<const EncodedSchema*> Spool::schemas_before(std::uint64_t seq) {
  if (find(seq) == nullptr) return {};
  NewestSchemas newest;
  for (const EncodedSchema& schema : loaded_.schemas) newest.take(schema);
  for (const EncodedBatch& batch : loaded_.batches) {
    if (batch.seq >= seq) break;
    for (const EncodedSchema& schema : batch.schemas) newest.take(schema);
  }
  return newest.list();
}

}  // namespace vigil::agent
