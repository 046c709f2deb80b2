// A history in a folder that goes with the test, and values to put into it.
#pragma once

#include "aggregator/store/history.h"
#include "tests/aggregator/store/temporary_folder.h"
#include "tests/support/catch.h"

#include <mutex>

namespace vigil::aggregator::testing {

/// A started history, what it recovered and replayed, and the batches it said are durable.
struct OpenHistory {
  Recovered recovered;
  Replayed replay_result;
  std::vector<JournalEntry> replayed;
  std::vector<Error> fatal;

  std::vector<std::uint64_t> durable() const;

  // Set on the history thread.
  mutable std::mutex mutex;
  std::vector<std::uint64_t> durable_seqs;
  std::function<void(const DurableBatch&)> on_durable;  // called there too

  std::unique_ptr<History> history;  // last: its end calls back once more
};

/// Commits only when told to: by sync(), or by a megabyte that waits.
HistoryOptions test_options(const std::filesystem::path& folder);
/// Opens, recovers, replays, starts; tells `on_durable` of each batch that is durable.
Result<std::unique_ptr<OpenHistory>> try_open_history(
    const HistoryOptions& options, std::function<void(const DurableBatch&)> on_durable = nullptr);
/// Fails the test when that fails.
std::unique_ptr<OpenHistory> open_history(const HistoryOptions& options);

HostRecord make_host(HostId id);
SeriesRecord make_series(SeriesId id, std::string job = "node");
StreamId make_stream(std::uint8_t mark);
JournalEntry make_batch(HostId host, std::uint64_t seq, std::size_t size = 100);
JournalEntry make_schema(HostId host, std::uint64_t seq, std::string bytes);
/// Rows at one second from first_ms on, of series 0 to columns - 1.
std::shared_ptr<const SealedBlock> make_sealed(std::int64_t first_ms, std::size_t rows,
                                               std::size_t columns = 3, std::int64_t value = 1);

}  // namespace vigil::aggregator::testing
