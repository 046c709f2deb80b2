#include "tests/aggregator/store/folder_fixture.h"

#include <cstdlib>

namespace vigil::aggregator::testing {

std::vector<std::uint64_t> OpenHistory::durable() const {
  const std::lock_guard lock(mutex);
  return durable_seqs;
}

HistoryOptions test_options(const std::filesystem::path& folder) {
  HistoryOptions options;
  options.directory = folder;
  options.commit_interval = std::chrono::hours(24);
  return options;
}

Result<std::unique_ptr<OpenHistory>> try_open_history(const HistoryOptions& options,
                                                      std::function<void(const DurableBatch&)> on_durable) {
  auto open = std::make_unique<OpenHistory>();
  open->on_durable = std::move(on_durable);
  auto history = History::open(options);
  if (!history) return history.error();
  open->history = std::move(*history);
  auto recovered = open->history->recover();
  if (!recovered) return recovered.error();
  open->recovered = std::move(*recovered);
  auto replayed = open->history->replay([&](const JournalEntry& entry) { open->replayed.push_back(entry); });
  if (!replayed) return replayed.error();
  open->replay_result = *replayed;
  OpenHistory* target = open.get();
  const auto note_durable = [target](std::span<const DurableBatch> batches) {
    const std::lock_guard lock(target->mutex);
    for (const DurableBatch& batch : batches) {
      target->durable_seqs.push_back(batch.seq);
      if (target->on_durable) target->on_durable(batch);
    }
  };
  const auto note_fatal = [target](const Error& error) {
    const std::lock_guard lock(target->mutex);
    target->fatal.push_back(error);
  };
  open->history->start({note_durable, note_fatal});
  return open;
}

std::unique_ptr<OpenHistory> open_history(const HistoryOptions& options) {
  auto open = try_open_history(options);
  REQUIRE(open);
  return std::move(*open);
}

HostRecord make_host(HostId id) {
  HostRecord host;
  host.id = id;
  host.name = fmt::format("web-{}", id);
  host.machine_id = std::string("\x00\x01machine-id-1234", 16);
  host.boot_id = "boot";
  host.agent_version = "0.1.0";
  host.labels = Labels{{"env", "prod"}, {"rack", "ü"}};
  host.first_seen_ms = 1000;
  host.last_seen_ms = 2000;
  host.interval_ms = 1000;
  return host;
}

SeriesRecord make_series(SeriesId id, std::string job) {
  SeriesRecord series;
  series.id = id;
  series.source = {std::move(job), 1000};
  series.spec = {"node_cpu_seconds_total", Labels{{"cpu", fmt::format("{}", id)}}, SeriesType::counter,
                 Encoding::decimal, 2};
  return series;
}

StreamId make_stream(std::uint8_t mark) {
  StreamId stream{};
  stream.fill(mark);
  return stream;
}

JournalEntry make_batch(HostId host, std::uint64_t seq, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(seq * 7 + i * i + host);
  return {host, make_stream(static_cast<std::uint8_t>(host)), seq, EntryKind::batch, 0, std::move(bytes)};
}

JournalEntry make_schema(HostId host, std::uint64_t seq, std::string bytes) {
  return {host, make_stream(static_cast<std::uint8_t>(host)), seq, EntryKind::schema, 1, std::move(bytes)};
}

std::shared_ptr<const SealedBlock> make_sealed(std::int64_t first_ms, std::size_t rows, std::size_t columns,
                                               std::int64_t value) {
  Block block;
  for (std::size_t row = 0; row < rows; ++row)
    block.times_ms.push_back(first_ms + static_cast<std::int64_t>(row) * 1000);
  for (std::size_t column = 0; column < columns; ++column) {
    block.series.push_back(static_cast<SeriesId>(column));
    for (std::size_t row = 0; row < rows; ++row)
      block.values.push_back(value + static_cast<std::int64_t>(row * column * row));
  }
  auto sealed = SealedBlock::open(seal(block));
  if (!sealed) std::abort();  // no REQUIRE: other threads call this, and Catch2's assertions are for one
  return *sealed;
}

}  // namespace vigil::aggregator::testing
