// What of a group the index must know before its entries are journalled: hosts, series, schemas, gaps, and
// files that are to be made.
#include "aggregator/store/writer.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace vigil::aggregator {

Result<void> Writer::write_index() {
  cancel_given_up();
  if (!index_changes()) return {};
  const auto planned = std::pair(planned_journal_, planned_days_);
  auto written = transact([this]() -> Result<void> {
    for (const auto& [host, stream] : reopened_) {
      if (auto reopened = tables_.reopen_cursor(host, stream); !reopened) return reopened;
    }
    for (const Operation& operation : operations_) {
      auto applied = std::visit([this](const auto& each) { return apply(each); }, operation);
      if (!applied) return applied;
    }
    if (auto put = put_schemas(); !put) return put;
    return plan_files();
  });
  // What was rolled back is not planned: a file that the index does not know is not there after a restart.
  if (!written) std::tie(planned_journal_, planned_days_) = planned;
  return written;
}

// A stream that another one had replaced may come back (two agents that claim one name, by turns): its cursor
// says that nothing of it is needed, and what it is told to be durable would be dropped and never replayed.
void Writer::cancel_given_up() {
  for (const JournalEntry& entry : entries_) {
    const JournalIndex::StreamKey key{entry.host, entry.stream};
    const auto kept = cursors_.find(key);
    if (kept != cursors_.end() && kept->second.needed_seq == kNothingNeeded)
      cursors_.erase(kept);  // the next seal will say it again
    if (index_.knows(key) && index_.needed_seq(key) != kNothingNeeded) continue;
    index_.reopen(key);
    reopened_.push_back(key);  // until it is committed: this transaction may have to be tried again
  }
}

bool Writer::index_changes() const {
  if (!reopened_.empty() || (journal_.current() == 0 && !entries_.empty())) return true;
  if (std::ranges::any_of(entries_,
                          [](const JournalEntry& entry) { return entry.kind == EntryKind::schema; }))
    return true;
  return std::ranges::any_of(operations_, [this](const Operation& operation) {
    const auto* seal = std::get_if<SealBlocks>(&operation);
    if (seal == nullptr) return true;
    return std::ranges::any_of(seal->blocks, [this](const FoundBlock& part) {
      return !by_day_.contains(period_start_ms(Tier::raw, part.block->first_ms()));
    });
  });
}

Result<void> Writer::plan_files() {
  if (journal_.current() == 0 && planned_journal_ == 0 && !entries_.empty()) {
    const auto number = tables_.add_file({0, FileKind::journal, FileForm::open, 0});
    if (!number) return number.error();
    planned_journal_ = *number;
  }
  for (const Operation& operation : operations_) {
    const auto* seal = std::get_if<SealBlocks>(&operation);
    if (seal == nullptr) continue;
    for (const FoundBlock& part : seal->blocks) {
      const std::int64_t day = period_start_ms(Tier::raw, part.block->first_ms());
      if (by_day_.contains(day) || planned_days_.contains(day) || too_old(*part.block)) continue;
      const auto number = tables_.add_file({0, FileKind::raw, FileForm::open, day});
      if (!number) return number.error();
      planned_days_[day] = *number;
    }
  }
  return {};
}

Result<void> Writer::put_schemas() {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const JournalEntry& entry = entries_[i];
    if (entry.kind != EntryKind::schema) continue;
    std::int64_t& row = schema_rows_[i];
    if (row == 0) row = tables_.next_schema_row();
    auto put = tables_.put_schema({row, entry.host, entry.stream, entry.source_id, entry.seq, entry.bytes});
    if (!put) return put;
  }
  return {};
}

Result<void> Writer::apply(const ForgetHost& forget) {
  drop_cursors(forget.host.id);
  index_.settle_host(forget.host.id);
  return tables_.forget_host(forget.host);
}

void Writer::drop_cursors(HostId host) {
  std::erase_if(cursors_, [&](const auto& kept) { return kept.first.host == host; });
}

Result<void> Writer::make_planned_files() {
  if (planned_journal_ != 0) {
    if (auto begun = journal_.begin_file(planned_journal_); !begun) return begun;
    journal_since_ = Clock::now();
    planned_journal_ = 0;
  }
  while (!planned_days_.empty()) {
    const auto [day, number] = *planned_days_.begin();
    if (auto opened = open_raw({number, FileKind::raw, FileForm::open, day}); !opened) return opened;
    planned_days_.erase(planned_days_.begin());
  }
  return {};
}

}  // namespace vigil::aggregator
