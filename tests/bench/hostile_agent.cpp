// An agent that means harm, over real gRPC: what it does to others is measured by `./dev bench hostile`.
//
//   hostile_agent MODE ADDRESS SECONDS
//
// flood    batches as fast as the connection takes them
// labels   schemas that are nearly as large as a message may be, one after the other
// series   a thousand new series each second
// deaf     batches as fast as the connection takes them, and it never reads an answer
//
// It comes back at once when it is refused, as nobody should.
#include "common/delivery/channel.h"
#include "tests/aggregator/ingest/fake_agent.h"
#include "vigil/v1/ingest.grpc.pb.h"

#include <grpcpp/client_context.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <thread>

namespace vigil {
namespace {

using aggregator::testing::FakeAgent;
using std::chrono::steady_clock;

struct Told {
  std::uint64_t messages = 0;
  std::uint64_t streams = 0;
  std::map<std::string, std::uint64_t> refusals;
};

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Schema `version`: 3,000 series with a label of 250 characters that nobody has seen.
v1::AgentMessage giant_schema(std::uint32_t version) {
  wire::SourceSchema schema{1, version, "node", 1000, {}};
  for (int i = 0; i < 3000; ++i) {
    schema.series.push_back({"giant",
                             {{"label", fmt::format("{:0>250}", fmt::format("{}-{}", version, i))}},
                             SeriesType::gauge,
                             Encoding::decimal,
                             0});
  }
  v1::AgentMessage message;
  wire::to_wire(schema, *message.mutable_schema());
  return message;
}

v1::AgentMessage new_series(std::uint32_t version) {
  wire::SourceSchema schema{1, version, "node", 1000, {}};
  for (int i = 0; i < 1000; ++i)
    schema.series.push_back({fmt::format("n{}_{}", version, i), {}, SeriesType::gauge, Encoding::decimal, 0});
  v1::AgentMessage message;
  wire::to_wire(schema, *message.mutable_schema());
  return message;
}

class Stream {
 public:
  Stream(v1::Ingest::Stub& stub, const FakeAgent& agent, Told& told)
      : told_(told), call_(stub.Stream(&context_)) {
    ++told_.streams;
    write(agent.hello());
    v1::AggregatorMessage answer;
    if (!call_->Read(&answer) || note(answer)) good_ = false;
  }
  ~Stream() {
    context_.TryCancel();
    if (reader_.joinable()) reader_.join();
    call_->Finish();
  }
  void listen() {
    reader_ = std::thread([this] {
      v1::AggregatorMessage answer;
      while (call_->Read(&answer)) {
        if (note(answer)) break;
      }
      good_ = false;
    });
  }
  bool write(const v1::AgentMessage& message) {
    ++told_.messages;
    if (!call_->Write(message)) good_ = false;
    return good_;
  }
  bool good() const { return good_; }

 private:
  bool note(const v1::AggregatorMessage& answer) {
    if (answer.has_refusal()) ++told_.refusals[answer.refusal().message()];
    return answer.has_refusal();
  }

  grpc::ClientContext context_;
  Told& told_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::AggregatorMessage>> call_;
  std::thread reader_;
  std::atomic<bool> good_ = true;
};

void attack(std::string_view mode, Stream& stream, FakeAgent& agent, steady_clock::time_point until) {
  constexpr std::size_t kWidth = 100;
  const auto goes_on = [&] { return stream.good() && steady_clock::now() < until; };
  if (mode == "labels") {
    for (std::uint32_t version = 2; goes_on(); ++version) stream.write(giant_schema(version));
    return;
  }
  if (mode == "series") {
    for (std::uint32_t version = 2; goes_on(); ++version) {
      agent.set_width(1000);
      stream.write(new_series(version));
      stream.write(agent.batch({now_ms()}, true));
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
    return;
  }
  agent.set_width(kWidth);
  stream.write(agent.schema());
  bool first = true;
  while (goes_on()) stream.write(agent.batch({now_ms()}, std::exchange(first, false)));
}

int run(std::string_view mode, const std::string& address, int seconds) {
  const auto until = steady_clock::now() + std::chrono::seconds(seconds);
  Told told;
  for (int i = 0; steady_clock::now() < until; ++i) {
    const auto stub = v1::Ingest::NewStub(make_channel({address, Transport::plain, {}}));
    // A stream of its own each time: what the one before sent is nobody's concern.
    FakeAgent agent("hostile", static_cast<char>('0' + i % 64));
    Stream stream(*stub, agent, told);
    if (mode != "deaf") stream.listen();
    attack(mode, stream, agent, until);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::cout << told.messages << " messages on " << told.streams << " streams\n";
  for (const auto& [why, count] : told.refusals) std::cout << count << " x " << why << "\n";
  return 0;
}

}  // namespace
}  // namespace vigil

int main(int argc, char** argv) {
  const std::string_view mode = argc == 4 ? argv[1] : "";
  if (mode != "flood" && mode != "labels" && mode != "series" && mode != "deaf") {
    std::cerr << "usage: hostile_agent flood|labels|series|deaf ADDRESS SECONDS\n";
    return 2;
  }
  return vigil::run(mode, argv[2], std::atoi(argv[3]));
}
