// A whole stream of hostile messages: the input is cut into messages by a length of two bytes in front of
// each. Whatever they hold, the session gives events or a refusal, and rows it lets through go into a head.
#include "aggregator/head/shard_set.h"
#include "aggregator/ingest/intake.h"
#include "common/log/log.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace vigil;
using namespace vigil::aggregator;

constexpr std::int64_t kNow = 1'700'000'000'000;

class Link final : public AgentLink {
 public:
  void welcome(const v1::Welcome&) override {}
  void acknowledge(const Acknowledgement& ack) override {
    if (ack.durable_seq != 0 && ack.durable_seq < last_) std::abort();  // acknowledgements never go back
    if (ack.backfill_credit != 0 && ack.backfill_credit < credit_) std::abort();  // nor does credit
    last_ = std::max(last_, ack.durable_seq);
    credit_ = std::max(credit_, ack.backfill_credit);
  }
  void request(const v1::ActionRequest&) override {}
  void refuse(const Refused& refused) override {
    if (refused.message.empty()) std::abort();
  }
  void taken(bool) override {}
  void nudge() override {}
  const std::string& remote() const override { return remote_; }

 private:
  const std::string remote_ = "fuzz";
  std::uint64_t last_ = 0;
  std::uint64_t credit_ = 0;
};

std::string next_message(const std::uint8_t*& data, std::size_t& size) {
  if (size < 2) return {};
  const std::size_t length = std::min<std::size_t>(data[0] | data[1] << 8, size - 2);
  std::string message(reinterpret_cast<const char*>(data) + 2, length);
  data += 2 + length;
  size -= 2 + length;
  return message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  log::set_level(log::Level::error);
  v1::AgentMessage first;
  if (!first.ParseFromString(next_message(data, size))) return 0;
  const auto hello = read_hello(first);
  if (!std::holds_alternative<Greeting>(hello)) return 0;
  ShardSet shards(1, {}, nullptr);
  self::Registry registry;
  IngestCounters counters(registry);
  const std::atomic<std::uint32_t> delivery{1000};
  Backfill backfill;
  Intake intake(shards.at(0), counters, {}, {delivery, backfill});
  const auto link = std::make_shared<Link>();
  intake.open(std::get<Greeting>(hello), link, kNow);
  std::int64_t now = kNow;
  while (size >= 2) {
    intake.feed(link.get(), next_message(data, size), now);
    intake.resume(now += 100);
  }
  shards.at(0).tick(kNow);
  shards.at(0).seal_all(kNow);
  return 0;
}
