#include "tests/aggregator/store/history_check.h"

#include <algorithm>
#include <limits>

namespace vigil::aggregator::testing {
namespace {

constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kEver = 0;

/// Checks one host.
class HostCheck {
 public:
  HostCheck(const HistoryModel& model, const OpenHistory& open, HostId id)
      : model_(model), host_(model.hosts[id]), open_(open), recovered_(open.recovered.hosts[id]), id_(id) {}

  Problems run() {
    check_record();
    if (recovered_.host.removed) {
      check_removed();
      return std::move(problems_);
    }
    check_series();
    check_replay();
    check_cells();
    check_gaps();
    return std::move(problems_);
  }

 private:
  template <class... Values>
  void complain(fmt::format_string<const Values&...> format, const Values&... values) {
    problems_.push_back(fmt::format("host {}: {}", id_, fmt::format(format, values...)));
  }

  /// Whether `found` is one of the versions and none that is known to be on disk is newer.
  template <class T>
  static bool is_current(const std::vector<Put<T>>& versions, const T& found, std::uint64_t safe_order) {
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
      if (version->value == found) return true;
      if (version->order <= safe_order) return false;
    }
    return false;
  }

  void check_record() {
    if (!is_current(host_.records, recovered_.host, model_.named_order))
      complain("its record is none of those that may be there (name {}, last seen {})", recovered_.host.name,
               recovered_.host.last_seen_ms);
  }

  void check_removed() {
    if (!recovered_.series.empty() || !recovered_.cursors.empty()) complain("removed, but not all of it");
    const auto gaps = open_.history->gaps(id_, kEver, kAlways);
    if (!gaps || !gaps->empty()) complain("removed, but it has gaps");
  }

  void check_series() {
    for (SeriesId id = 0; id < host_.series.size(); ++id) {
      const auto& versions = host_.series[id];
      const auto left = host_.left.find(id);
      const auto found = std::ranges::find(recovered_.series, id, &SeriesRecord::id);
      const bool named = versions.empty() || versions.front().order <= model_.named_order;
      if (named && id >= recovered_.next_series) complain("the id of series {} would be given again", id);
      if (found == recovered_.series.end()) {
        if (named && left == host_.left.end()) complain("series {} is missing", id);
      } else if (left != host_.left.end() && left->second <= model_.named_order) {
        complain("series {} has left and is there", id);
      } else if (!is_current(versions, *found, model_.named_order)) {
        complain("series {} is none of those that may be there", id);
      }
    }
    if (recovered_.next_series > host_.series.size()) complain("it has series that were never put");
  }

  /// What a replaying aggregator knows of one stream.
  struct Decoder {
    std::uint64_t last = 0;
    bool usable = false;
    std::map<std::uint32_t, std::map<std::size_t, std::string>> schemas;  // by source and version

    // A version that is used makes the older ones go.
    bool knows(const JournalEntry& schema, std::size_t version) {
      auto& versions = schemas[schema.source_id];
      const auto found = versions.find(version);
      if (found == versions.end() || found->second != schema.bytes) return false;
      versions.erase(versions.begin(), found);
      return true;
    }
  };

  // Every entry is what was sent; all that is in no block yet can be decoded. Of what is in blocks already
  // there may be remains that cannot.
  void check_replay() {
    std::map<StreamId, Decoder> decoders;
    for (const JournalEntry& entry : open_.replayed) {
      if (entry.host != id_) continue;
      Decoder& decoder = decoders[entry.stream];
      if (entry.kind == EntryKind::schema) {
        decoder.schemas[entry.source_id][schema_version(entry)] = entry.bytes;
        continue;
      }
      const SentBatch* sent = host_.find(entry.stream, entry.seq);
      if (sent == nullptr || entry != batch_entry(id_, *sent)) {
        complain("batch {} is replayed but was not sent like that", entry.seq);
        continue;
      }
      const bool follows = (decoder.usable && entry.seq == decoder.last + 1) || sent->keyframe;
      decoder.usable = follows && decoder.knows(schema_entry(id_, *sent), sent->columns);
      if (!decoder.usable && entry.seq > sealed_seq(entry.stream))
        complain("batch {} is replayed after {} and cannot be decoded{}", entry.seq, decoder.last,
                 follows ? ": its schema is missing" : "");
      decoder.last = entry.seq;
    }
    for (const Cursor& cursor : recovered_.cursors) check_cursor(cursor);
  }

  void check_cursor(const Cursor& cursor) {
    const auto replayed = replayed_seqs(open_, id_)[cursor.stream];
    if (host_.find(cursor.stream, cursor.durable_seq) == nullptr)
      complain("a cursor claims batch {}, which was not sent", cursor.durable_seq);
    std::uint64_t first = host_.keyframe_before(cursor.stream, cursor.sealed_seq + 1);
    const auto given_up = host_.given_up.find(cursor.stream);
    if (given_up != host_.given_up.end()) first = std::max(first, given_up->second + 1);
    for (std::uint64_t seq = first; seq <= cursor.durable_seq; ++seq) {
      if (!replayed.contains(seq))
        complain("batch {} is needed (sealed {}, durable {}) and not replayed", seq, cursor.sealed_seq,
                 cursor.durable_seq);
    }
    if (!replayed.empty() && *replayed.rbegin() > cursor.durable_seq)
      complain("batch {} is replayed, the cursor says {}", *replayed.rbegin(), cursor.durable_seq);
  }

  const Cursor* cursor_of(const StreamId& stream) const {
    const auto& cursors = recovered_.cursors;
    const auto found = std::find_if(cursors.begin(), cursors.end(),
                                    [&](const Cursor& cursor) { return cursor.stream == stream; });
    return found == cursors.end() ? nullptr : &*found;
  }

  std::uint64_t sealed_seq(const StreamId& stream) const {
    const Cursor* cursor = cursor_of(stream);
    return cursor == nullptr ? 0 : cursor->sealed_seq;
  }

  template <class Visit>
  void each_cell(const SentBatch& batch, Visit visit) const {
    const auto ids = host_.series_of(batch.source);
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      for (std::size_t column = 0; column < batch.columns; ++column)
        visit(Cell(ids.at(column), batch.first_ms + row * kTickMs));
    }
  }

  // What a reader sees: blocks, and the rows of replayed batches that are not in blocks. A crash may have
  // left a row in both, or in two blocks: whoever reads takes each time once.
  void check_cells() {
    auto sealed = sealed_cells(open_, id_);
    if (!sealed) {
      complain("{}", sealed.error().message);
      return;
    }
    visible_ = std::move(*sealed);
    auto replayed = replayed_seqs(open_, id_);
    std::vector<Cell> sent;
    for (const SentBatch& batch : host_.batches) {
      each_cell(batch, [&](Cell cell) { sent.push_back(cell); });
      if (batch.seq > sealed_seq(batch.stream) && replayed[batch.stream].contains(batch.seq))
        each_cell(batch, [&](Cell cell) { visible_.push_back(cell); });
    }
    std::sort(sent.begin(), sent.end());
    std::sort(visible_.begin(), visible_.end());
    visible_.erase(std::unique(visible_.begin(), visible_.end()), visible_.end());
    if (!std::includes(sent.begin(), sent.end(), visible_.begin(), visible_.end()))
      complain("something is seen that was never sent");
    check_complete();
  }

  void check_complete() {
    for (const SentBatch& batch : host_.batches) {
      const Cursor* cursor = cursor_of(batch.stream);
      const bool claimed = cursor != nullptr && batch.seq <= cursor->durable_seq;
      if (!batch.acknowledged && !claimed) continue;
      const auto ids = host_.series_of(batch.source);
      if (batch.columns > 0 && ids.at(batch.columns - 1) >= recovered_.next_series)
        complain("batch {} is there and its series are not", batch.seq);
      each_cell(batch, [&](Cell cell) {
        if (cell.second < model_.kept_from_ms()) return;
        if (std::binary_search(visible_.begin(), visible_.end(), cell)) return;
        complain("series {} at {} is lost: of batch {}, {}", cell.first, cell.second, batch.seq,
                 batch.acknowledged ? "acknowledged" : "claimed by a cursor");
      });
    }
  }

  void check_gaps() {
    const auto gaps = open_.history->gaps(id_, kEver, kAlways);
    if (!gaps) {
      complain("gaps: {}", gaps.error().message);
      return;
    }
    for (const GapRecord& gap : *gaps) {
      if (std::none_of(host_.gaps.begin(), host_.gaps.end(),
                       [&](const auto& put) { return put.value == gap; }))
        complain("a gap from {} was never declared", gap.first_ms);
      if (std::any_of(visible_.begin(), visible_.end(), [&](const Cell& cell) {
            return cell.second >= gap.first_ms && cell.second <= gap.last_ms;
          }))
        complain("samples are seen in the gap from {}", gap.first_ms);
    }
    for (const auto& put : host_.gaps) {
      if (put.order > model_.synced_order || put.value.last_ms < model_.kept_from_ms()) continue;
      if (std::count(gaps->begin(), gaps->end(), put.value) != 1)
        complain("the gap from {} is not told", put.value.first_ms);
    }
  }

  const HistoryModel& model_;
  const HostModel& host_;
  const OpenHistory& open_;
  const RecoveredHost& recovered_;
  const HostId id_;
  std::vector<Cell> visible_;
  Problems problems_;
};

}  // namespace

std::map<StreamId, std::set<std::uint64_t>> replayed_seqs(const OpenHistory& open, HostId host) {
  std::map<StreamId, std::set<std::uint64_t>> seqs;
  for (const JournalEntry& entry : open.replayed) {
    if (entry.host == host && entry.kind == EntryKind::batch) seqs[entry.stream].insert(entry.seq);
  }
  return seqs;
}

Result<std::vector<Cell>> sealed_cells(const OpenHistory& open, HostId host) {
  const auto blocks = open.history->read(host, {}, kEver, kAlways);
  if (!blocks) return blocks.error();
  std::vector<Cell> cells;
  for (const auto& sealed : *blocks) {
    const auto block = sealed->decode();
    if (!block) return block.error();
    for (std::size_t i = 0; i < block->values.size(); ++i) {
      const Cell cell(block->series[i / block->times_ms.size()], block->times_ms[i % block->times_ms.size()]);
      if (block->values[i] == kAbsent) continue;
      if (block->values[i] != model_value(host, cell.first, cell.second))
        return fail(Errc::corrupt, "series {} has another value at {} than was sent", cell.first,
                    cell.second);
      cells.push_back(cell);
    }
  }
  return cells;
}

Problems check_history(const HistoryModel& model, const OpenHistory& open) {
  Problems problems;
  if (open.replay_result.damaged_groups > 0) problems.emplace_back("groups of the journal are damaged");
  const std::size_t found = open.recovered.hosts.size();
  if (found > model.hosts.size()) problems.emplace_back("there are hosts that were never put");
  for (HostId id = 0; id < model.hosts.size(); ++id) {
    if (id < found) {
      auto wrong = HostCheck(model, open, id).run();
      std::move(wrong.begin(), wrong.end(), std::back_inserter(problems));
    } else if (model.hosts[id].records.front().order <= model.named_order) {
      problems.push_back(fmt::format("host {} is missing", id));
    }
  }
  const HistoryStats stats = open.history->stats();
  if (stats.damaged_blocks > 0) problems.emplace_back("blocks are damaged");
  if (stats.damaged_files > 0) problems.emplace_back("files are damaged");
  return problems;
}

}  // namespace vigil::aggregator::testing
