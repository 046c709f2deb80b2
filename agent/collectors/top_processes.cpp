#include "agent/collectors/top_processes.h"

#include "agent/collectors/text.h"

#include <algorithm>
#include <utility>

namespace vigil::agent {

TopProcesses::TopProcesses(std::size_t per_ranking, Sources sources)
    : per_ranking_(per_ranking),
      sources_(std::move(sources)),
      allowance_(6.0 * static_cast<double>(per_ranking) * kNewProcessEvery) {}

void TopProcesses::begin(TimePoint now) {
  const std::chrono::duration<double> most = 6.0 * static_cast<double>(per_ranking_) * kNewProcessEvery;
  if (pass_ > 0) {
    elapsed_ = now - now_;
    allowance_ = std::min<std::chrono::duration<double>>(most, allowance_ + elapsed_);
  }
  now_ = now;
  ++pass_;
  io_denied_ = 0;
}

void TopProcesses::saw(const ProcessStat& stat) {
  if (per_ranking_ == 0) return;
  Seen& seen = seen_[stat.pid];
  // A pid used again is another process. What a new process did since it started, it did since the last pass;
  // in the very first pass the totals since the start of each process serve to rank.
  if (seen.start_ticks != stat.start_ticks || seen.pass == 0) {
    seen = Seen{};
    seen.first_pass = pass_;
  }
  seen.start_ticks = stat.start_ticks;
  seen.cpu_delta = std::max<std::int64_t>(stat.cpu_ticks - seen.cpu_ticks, 0);
  seen.cpu_ticks = stat.cpu_ticks;
  seen.rss_pages = stat.rss_pages;
  seen.io_delta = 0;
  seen.pass = pass_;
  if (seen.comm != stat.comm) seen.comm = stat.comm;
  read_io(stat.pid, seen);
  if (seen.io_state == Seen::Io::denied) ++io_denied_;
}

void TopProcesses::ask_again() {
  for (auto& [pid, seen] : seen_) {
    if (seen.io_state == Seen::Io::denied) seen.io_state = Seen::Io::unread;
  }
}

/// Doubles the cost of a process, so it is left out where nothing can have changed: no CPU time spent since,
/// or denied before.
void TopProcesses::read_io(std::int64_t pid, Seen& seen) const {
  if (seen.io_state == Seen::Io::denied) return;
  if (seen.io_state == Seen::Io::known && seen.cpu_delta == 0) return;
  const auto io = sources_.io(pid);
  if (!io) {
    seen.io_state = Seen::Io::denied;
    return;
  }
  const auto grown = [](std::int64_t now, std::int64_t before) {
    return std::max<std::int64_t>(now - before, 0) / 2;
  };
  seen.io_delta = grown(io->read_bytes, seen.io.read_bytes) + grown(io->written_bytes, seen.io.written_bytes);
  seen.io = *io;
  seen.io_state = Seen::Io::known;
}

void TopProcesses::rank(std::int64_t Seen::*by, std::vector<const Entry*>& entries,
                        std::vector<const Entry*>& top) const {
  const auto count = static_cast<std::ptrdiff_t>(std::min(per_ranking_, entries.size()));
  const auto middle = entries.begin() + count;
  std::partial_sort(entries.begin(), middle, entries.end(), [by](const Entry* a, const Entry* b) {
    return a->second.*by != b->second.*by ? a->second.*by > b->second.*by : a->first < b->first;
  });
  std::copy_if(entries.begin(), middle, std::back_inserter(top),
               [by](const Entry* entry) { return entry->second.*by > 0; });
}

void TopProcesses::list(const Entry& entry) {
  const auto same = [&](const Listed& listed) {
    return listed.pid == entry.first && listed.start_ticks == entry.second.start_ticks;
  };
  const auto found = std::find_if(listed_.begin(), listed_.end(), same);
  if (found == listed_.end() && !may_list_new(entry.second)) return;
  Listed& listed = found != listed_.end() ? *found : listed_.emplace_back();
  listed.pid = entry.first;
  listed.start_ticks = entry.second.start_ticks;
  listed.in_ranking_at = now_;
}

/// Whether it took at least half a CPU since the last pass, be it new or not.
bool TopProcesses::burns(const Seen& seen) const {
  constexpr double kTicksPerSecond = 100;  // USER_HZ
  return elapsed_.count() > 0 &&
         static_cast<double>(seen.cpu_delta) >= kTicksPerSecond / 2 * elapsed_.count();
}

bool TopProcesses::may_list_new(const Seen& seen) {
  const bool first_look = pass_ > 1 && seen.first_pass == pass_;
  const double kept = first_look ? std::min(kBurst, 3.0 * static_cast<double>(per_ranking_)) : 0;
  if (allowance_ < kNewProcessEvery * (1 + kept)) return false;
  allowance_ -= kNewProcessEvery;
  return true;
}

/// Brings the values up to date and takes out who has ended or has long been in no ranking.
void TopProcesses::refresh_listed() {
  std::erase_if(listed_, [this](Listed& listed) {
    const auto found = seen_.find(listed.pid);
    if (found == seen_.end() || found->second.start_ticks != listed.start_ticks) return true;
    if (now_ - listed.in_ranking_at >= kLinger) return true;
    const Seen& seen = found->second;
    listed.cpu_ticks = seen.cpu_ticks;
    listed.rss_pages = seen.rss_pages;
    listed.io_known = seen.io_state == Seen::Io::known;
    listed.io = seen.io;
    if (listed.comm.empty() || now_ - listed.labelled_at >= kLinger) {
      listed.comm = printable(seen.comm);
      listed.container = sources_.container(listed.pid);
      listed.labelled_at = now_;
    }
    return false;
  });
}

/// Those longest out of every ranking go first. The rankings themselves hold at most 3 N.
void TopProcesses::drop_surplus() {
  const std::size_t most = 3 * per_ranking_;
  if (listed_.size() > most) {
    std::stable_sort(listed_.begin(), listed_.end(),
                     [](const Listed& a, const Listed& b) { return a.in_ranking_at > b.in_ranking_at; });
    listed_.resize(most);
  }
  std::sort(listed_.begin(), listed_.end(), [](const Listed& a, const Listed& b) { return a.pid < b.pid; });
}

void TopProcesses::finish() {
  if (per_ranking_ == 0) return;
  std::erase_if(seen_, [this](const Entry& entry) { return entry.second.pass != pass_; });
  std::vector<const Entry*> entries;
  entries.reserve(seen_.size());
  // Only what was there in the last pass too: a series with one sample tells nothing, and a host that
  // compiles would make thousands of them. But for what burns a CPU: that is looked for now, not in ten
  // seconds. In the very first pass everything is new.
  for (const Entry& entry : seen_) {
    if (pass_ == 1 || entry.second.first_pass != pass_ || burns(entry.second)) entries.push_back(&entry);
  }
  std::vector<const Entry*> top;
  rank(&Seen::cpu_delta, entries, top);
  rank(&Seen::rss_pages, entries, top);
  rank(&Seen::io_delta, entries, top);
  for (const Entry* entry : top) list(*entry);
  refresh_listed();
  drop_surplus();
}

}  // namespace vigil::agent
