#include "agent/delivery/outbox.h"

#include "common/log/log.h"

#include <algorithm>

namespace vigil::agent {
namespace {

constexpr std::size_t kMostOwed = 100;  // gaps; an aggregator takes 1,000 in one stream

Identity with_stream(Identity identity, const SpoolStream& stream) {
  identity.stream_id = stream.stream_id;
  identity.boot_id = stream.boot_id;
  identity.follows.clear();
  return identity;
}

}  // namespace

Outbox::Outbox(OutboxOptions options, SpoolFolder folder)
    : options_(std::move(options)), folder_(std::move(folder)) {
  live_ = make_live("");
  take_disk();
}

/// The disk is there: streams of earlier lives are older than all of this one.
void Outbox::take_disk() {
  if (!folder_.became_usable()) return;
  spool_cap_ = folder_.cap();
  auto leftovers = folder_.take_leftovers();
  for (auto at = leftovers.rbegin(); at != leftovers.rend(); ++at) {
    Identity identity = with_stream(options_.identity, (*at)->stream());
    ended_.emplace_front(new OutboxStream{std::move(identity), Buffer(BufferOptions{}, std::move(*at))});
  }
  for (const BatchRange& range : folder_.take_damaged()) {
    owe({.first_time_ms = range.first_time_ms,
         .last_time_ms = range.last_time_ms,
         .reason = "damaged",
         .batches = range.last_seq - range.first_seq + 1});
  }
  const auto attach = [this](OutboxStream& stream) {
    if (stream.buffer.spool() == nullptr)
      stream.buffer.attach(folder_.make({stream.identity.stream_id, stream.identity.boot_id}));
  };
  for (const auto& stream : ended_) attach(*stream);
  attach(*live_);
}

std::unique_ptr<OutboxStream> Outbox::make_live(const std::string& follows) {
  Identity identity = options_.identity;
  if (!follows.empty()) identity.stream_id = options_.new_stream_id();
  identity.follows = follows;
  auto spool = folder_.make({identity.stream_id, identity.boot_id});
  return std::unique_ptr<OutboxStream>(
      new OutboxStream{std::move(identity), Buffer(options_.buffer, std::move(spool))});
}

void Outbox::push(EncodedBatch batch, Time now) {
  if (awaiting_first_ && batch.seq == 1) {
    awaiting_first_ = false;
    ended_.back()->buffer.rest_on_disk();
  }
  if (!awaiting_first_) fresh_.push_back({batch.seq, now});
  (awaiting_first_ ? ended_.back() : live_)->buffer.push(std::move(batch));
}

bool Outbox::behind() const {
  return !awaiting_first_ && live_->buffer.waiting_batches() > kShortBacklog;
}

void Outbox::greet_with(Greeting greeting) {
  options_.identity.interval = greeting.interval;
  options_.identity.labels = std::move(greeting.labels);
}

void Outbox::begin_stream() {
  auto next = make_live(live_->identity.stream_id);
  ended_.push_back(std::move(live_));
  live_ = std::move(next);
  fresh_.clear();
  awaiting_first_ = true;
}

void Outbox::delivered() {
  dropped_before_ += ended_.front()->buffer.dropped_batches();
  if (Spool* spool = ended_.front()->buffer.spool()) spool->clear();
  ended_.pop_front();
}

bool Outbox::all_durable() const {
  return live_->buffer.all_durable();
}

void Outbox::all_delivered() {
  if (Spool* spool = live_->buffer.spool()) spool->clear();
}

void Outbox::give_up_oldest(OutboxStream& stream) {
  bool done = stream.buffer.drop_oldest_group("refused");
  if (!done && &stream != live_.get()) {
    const auto at =
        std::find_if(ended_.begin(), ended_.end(), [&](const auto& each) { return each.get() == &stream; });
    forget_ended(static_cast<std::size_t>(at - ended_.begin()), "refused");
    done = true;
  }
  if (done) log::error("delivery", "gave up batches the aggregator refuses");
}

void Outbox::forget_ended(std::size_t index, const std::string& reason) {
  Buffer& buffer = ended_[index]->buffer;
  if (auto lost = buffer.drop_all(reason)) owe(std::move(*lost));
  dropped_before_ += buffer.dropped_batches();
  ended_.erase(ended_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Outbox::owe(LostBatches lost) {
  if (owed_.size() - told_ < kMostOwed) return owed_.push_back(std::move(lost));
  LostBatches& last = owed_.back();
  last.first_time_ms = std::min(last.first_time_ms, lost.first_time_ms);
  last.last_time_ms = std::max(last.last_time_ms, lost.last_time_ms);
  last.batches += lost.batches;
}

void Outbox::declare(Session& live) {
  if (!live.welcomed()) return;
  if (told_with_ && live_->buffer.durable_seq() >= *told_with_) {
    owed_.erase(owed_.begin(), owed_.begin() + static_cast<std::ptrdiff_t>(told_));
    told_ = 0;
    told_with_.reset();
    if (owed_.empty()) folder_.forget_damaged();
  }
  if (!told_with_) told_ = 0;
  for (; told_ < owed_.size(); ++told_) told_with_ = live.declare(owed_[told_]);
}

void Outbox::keep_caps(const OutboxStream* delivering) {
  while (memory_bytes() > options_.buffer.max_bytes && drop_oldest_in_memory(delivering)) {
  }
  if (!folder_.usable()) return;
  if (spooled_bytes() <= SpoolFolder::kSmallestCap) return;
  spool_cap_ = folder_.cap();
  while (spooled_bytes() > spool_cap_ && drop_oldest_spooled(delivering)) {
  }
}

bool Outbox::drop_oldest_spooled(const OutboxStream* delivering) {
  for (std::size_t i = 0; i < complete(); ++i) {
    Buffer& buffer = ended_[i]->buffer;
    if (buffer.spool() == nullptr || buffer.spool()->empty()) continue;
    if (!buffer.drop_spooled("spool_full")) continue;
    const bool nothing_left = buffer.first_kept_seq() == 0;
    if (nothing_left && ended_[i].get() != delivering) forget_ended(i, "spool_full");
    return true;
  }
  return live_->buffer.drop_spooled("spool_full");
}

bool Outbox::drop_oldest_in_memory(const OutboxStream* delivering) {
  for (std::size_t i = 0; i < complete(); ++i) {
    Buffer& buffer = ended_[i]->buffer;
    if (buffer.bytes() == 0) continue;
    if (buffer.drop_oldest_in_memory("buffer_full")) return true;
    if (ended_[i].get() == delivering) continue;
    forget_ended(i, "buffer_full");
    return true;
  }
  return false;  // the live one keeps its own cap
}

void Outbox::tend(Time now) {
  take_disk();
  hear_failures(now);
  check_disk(now);
  spool_waiting(now);
  sync(now);
}

void Outbox::hear_failures(Time now) {
  while (const auto failure = folder_.next_failure()) {
    folder_.complain(failure->error);
    for (const auto& stream : ended_)
      if (Spool* spool = stream->buffer.spool()) spool->failed(*failure);
    if (Spool* spool = live_->buffer.spool()) spool->failed(*failure);
    if (failure->call == Disk::Call::write) retry_disk_ = now + kRetryDisk;
  }
}

/// While something is wrong memory does; the disk is tried again after a while.
void Outbox::check_disk(Time now) {
  std::optional<Error> wrong = live_->buffer.spool_error();
  if (retry_disk_ && now >= *retry_disk_) {
    retry_disk_.reset();
    wrong.reset();
  }
  if (auto trouble = folder_.trouble()) wrong = std::move(trouble);
  if (wrong && !retry_disk_) {
    folder_.complain(*wrong);
    retry_disk_ = now + kRetryDisk;
  }
  if (!wrong && retry_disk_) wrong = fail(Errc::io, "the disk failed a moment ago");
  for (const auto& stream : ended_) stream->buffer.set_spool_error(wrong);
  live_->buffer.set_spool_error(std::move(wrong));
}

void Outbox::spool_waiting(Time now) {
  Buffer& buffer = live_->buffer;
  std::uint64_t due_seq = 0;
  while (!fresh_.empty() &&
         (fresh_.front().seq <= buffer.durable_seq() || fresh_.front().at + kMemoryFirst <= now)) {
    due_seq = fresh_.front().seq;
    fresh_.pop_front();
  }
  // What could not be written, or what was taken back, is written with what comes next.
  if (due_seq > buffer.durable_seq()) buffer.spool_to(due_seq);
  for (std::size_t i = 0; i < complete(); ++i)
    if (ended_[i]->buffer.bytes() > 0) ended_[i]->buffer.rest_on_disk();
  const bool on_disk = spooled_bytes() > 0 && !retry_disk_;
  if (on_disk) folder_.works();
}

void Outbox::spool_all() {
  if (!fresh_.empty()) live_->buffer.spool_to(fresh_.back().seq);
  for (const auto& stream : ended_) stream->buffer.rest_on_disk();
}

std::optional<Outbox::Time> Outbox::due() const {
  std::optional<Time> next;
  const auto earlier = [&next](const std::optional<Time>& other) {
    if (other && (!next || *other < *next)) next = other;
  };
  if (folder_.usable() && !fresh_.empty() && !retry_disk_) earlier(fresh_.front().at + kMemoryFirst);
  earlier(retry_disk_);
  earlier(sync_due_);
  return next;
}

void Outbox::sync(Time now) {
  const auto waits = [](const OutboxStream& stream) {
    const Spool* spool = stream.buffer.spool();
    return spool != nullptr && spool->unsynced() && spool->last_seq() > stream.buffer.durable_seq();
  };
  std::vector<Spool*> due;
  if (waits(*live_)) due.push_back(live_->buffer.spool());
  for (const auto& stream : ended_)
    if (waits(*stream)) due.push_back(stream->buffer.spool());
  if (due.empty()) return sync_due_.reset();
  if (!sync_due_) sync_due_ = now + kSyncEvery;
  if (now < *sync_due_) return;
  sync_due_ = now + kSyncEvery;
  for (Spool* spool : due)
    if (auto synced = spool->sync(); !synced) folder_.complain(synced.error());
}

bool Outbox::holds_ended_in_memory() const {
  return std::any_of(ended_.begin(), ended_.end(),
                     [](const auto& each) { return each->buffer.only_in_memory(); });
}

std::uint64_t Outbox::spooled_bytes() const {
  const auto bytes = [](const OutboxStream& stream) {
    return stream.buffer.spool() != nullptr ? stream.buffer.spool()->bytes() : 0;
  };
  std::uint64_t sum = bytes(*live_);
  for (const auto& stream : ended_) sum += bytes(*stream);
  return sum;
}

std::size_t Outbox::memory_bytes() const {
  std::size_t sum = live_->buffer.bytes();
  for (const auto& stream : ended_) sum += stream->buffer.bytes();
  return sum;
}

std::uint64_t Outbox::dropped_batches() const {
  std::uint64_t sum = dropped_before_ + live_->buffer.dropped_batches();
  for (const auto& stream : ended_) sum += stream->buffer.dropped_batches();
  return sum;
}

}  // namespace vigil::agent
