// Several threads at once: one property matters here, that the sanitizers stay silent and that nothing is
// lost or torn.
#include "tests/aggregator/store/folder_fixture.h"

#include <atomic>
#include <thread>

namespace vigil::aggregator {
namespace {

using testing::make_batch;
using testing::make_host;
using testing::make_sealed;
using testing::make_stream;
using testing::open_history;
using testing::TemporaryFolder;

constexpr std::uint64_t kSlots = 40;
const SourceKey kNode{"node", 1000};

bool write_host(History& history, HostId host) {
  for (std::uint64_t slot = 1; slot <= kSlots; ++slot) {
    if (!history.journal(make_batch(host, slot))) return false;
    const auto first_ms = static_cast<std::int64_t>(slot) * 120'000;
    if (!history.seal(host, {{kNode, make_sealed(first_ms, 120)}},
                      {{make_stream(static_cast<std::uint8_t>(host)), slot, slot}})) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("Readers never miss a sealed block while writers go on") {
  const TemporaryFolder folder;
  auto options = testing::test_options(folder.path());
  options.commit_interval = std::chrono::milliseconds(1);
  options.cache_bytes = 20'000;
  const auto open = open_history(options);
  History& history = *open->history;
  for (HostId host = 0; host < 2; ++host) REQUIRE(history.put_host(make_host(host)));
  std::atomic<bool> writing = true;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (HostId host = 0; host < 2; ++host) {
    readers.emplace_back([&, host] {
      std::size_t seen = 0;
      while (writing) {
        const auto blocks = history.read(host, {}, 0, 100'000'000);
        // Once seen, a block stays.
        if (!blocks || blocks->size() < seen) ++wrong;
        if (blocks) seen = blocks->size();
        if (history.health().state != HistoryState::ok || history.stats().samples > 2 * kSlots * 360) ++wrong;
      }
    });
  }
  std::vector<std::thread> writers;
  for (HostId host = 0; host < 2; ++host) {
    writers.emplace_back([&, host] { wrong += write_host(history, host) ? 0 : 1; });
  }
  for (std::thread& writer : writers) writer.join();
  writing = false;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
  REQUIRE(history.sync());
  for (HostId host = 0; host < 2; ++host)
    CHECK(history.read(host, {}, 0, 100'000'000).value().size() == kSlots);
  CHECK(open->durable().size() == 2 * kSlots);
}

}  // namespace vigil::aggregator
