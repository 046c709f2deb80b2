// An agent's side of the protocol for tests: messages as an agent would encode them, and a link that
// remembers the answers.
#pragma once

#include "aggregator/ingest/agent_link.h"
#include "aggregator/promql/storage.h"
#include "common/series.h"
#include "common/wire/rows.h"
#include "common/wire/schema.h"
#include "vigil/v1/ingest.pb.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vigil::aggregator::testing {

inline constexpr std::int64_t kT0 = 1'700'000'000'000;

class FakeLink final : public AgentLink {
 public:
  explicit FakeLink(std::string remote = "10.0.0.1:4711") : remote_(std::move(remote)) {}
  void welcome(const v1::Welcome& welcome) override { welcomes.push_back(welcome); }
  void acknowledge(const Acknowledgement& ack) override {
    if (ack.backfill_credit != 0) credit = ack.backfill_credit;
    acks.push_back(ack.durable_seq);
  }
  void request(const v1::ActionRequest& action) override { requests.push_back(action); }
  void refuse(const Refused& refused) override { refusals.push_back(refused); }
  void taken(bool) override { ++taken_count; }
  void nudge() override {}
  const std::string& remote() const override { return remote_; }

  std::vector<v1::Welcome> welcomes;
  std::vector<std::uint64_t> acks;
  std::uint64_t credit = 0;  // of back-fill, by an Ack
  std::vector<v1::ActionRequest> requests;
  std::vector<Refused> refusals;
  int taken_count = 0;

 private:
  const std::string remote_;
};

/// The values of all series, one after the other: "1 2 stale ".
inline std::string text_of(const std::vector<promql::SelectedSeries>& found) {
  std::string text;
  for (const auto& series : found) {
    for (const auto& point : series.points)
      text += is_stale(point.v) ? "stale " : fmt::format("{} ", point.v);
  }
  return text;
}

/// Of the metric with this name, everything.
inline promql::Selection everything_of(const std::string& name) {
  return {{*promql::Matcher::create(promql::MatchOp::equal, "__name__", name)}, 0, kT0 * 2};
}

/// One source, "node" each second with the gauges m0, m1, ... (scale 0).
class FakeAgent {
 public:
  explicit FakeAgent(std::string name = "web-1", char stream = 's')
      : name_(std::move(name)), stream_(stream) {
    set_width(2);
  }

  v1::AgentMessage hello(std::uint64_t first_kept = 0) const {
    v1::AgentMessage message;
    v1::Hello& hello = *message.mutable_hello();
    hello.set_protocol(1);
    hello.set_name(name_);
    hello.set_machine_id(std::string(16, machine));
    hello.set_stream_id(std::string(16, stream_));
    hello.set_boot_id(boot_id);
    hello.set_first_kept_seq(first_kept);
    hello.set_next_seq(next_seq_);
    hello.set_durable_seq(durable_seq);
    hello.set_ended(ended);
    hello.set_follows(follows);
    hello.set_wall_time_ms(kT0);
    hello.set_agent_version("0.1.0");
    hello.set_interval_ms(1000);
    return message;
  }
  Greeting greeting(std::uint64_t first_kept = 0) const {
    return std::get<Greeting>(read_hello(hello(first_kept)));
  }

  /// A new schema version with this many columns.
  void set_width(std::size_t width) {
    ++version_;
    width_ = width;
    encoder_.set_width(width);
  }
  v1::AgentMessage schema() const {
    wire::SourceSchema schema{1, version_, "node", 1000, {}};
    for (std::size_t i = 0; i < width_; ++i) {
      const SeriesSpec plain{fmt::format("m{}", i), {}, SeriesType::gauge, Encoding::decimal, 0};
      schema.series.push_back(i < named.size() ? named[i] : plain);
    }
    v1::AgentMessage message;
    wire::to_wire(schema, *message.mutable_schema());
    return message;
  }
  /// The next batch: a row at each time, all columns with the value of the row's seconds since kT0.
  v1::AgentMessage batch(const std::vector<std::int64_t>& times_ms, bool keyframe = false) {
    v1::AgentMessage message;
    v1::Batch& batch = *message.mutable_batch();
    batch.set_seq(next_seq_++);
    batch.set_keyframe(keyframe);
    if (keyframe) encoder_.start_over();
    v1::Rows& rows = *batch.add_sources();
    rows.set_source_id(1);
    rows.set_schema_version(version_);
    for (const std::int64_t time : times_ms)
      encoder_.append(time, std::vector<std::int64_t>(width_, (time - kT0) / 1000), rows);
    return message;
  }
  void skip(std::uint64_t count) { next_seq_ += count; }

  /// What was lost without a word of when it began.
  static v1::AgentMessage gap(std::uint64_t first, std::uint64_t last, std::int64_t until_ms) {
    v1::AgentMessage message;
    v1::Gap& gap = *message.mutable_gap();
    gap.set_first_seq(first);
    gap.set_last_seq(last);
    gap.set_last_time_ms(until_ms);
    gap.set_reason("aggregator_lost");
    return message;
  }

  static v1::AgentMessage bye(const std::string& reason = "stopped") {
    v1::AgentMessage message;
    message.mutable_bye()->set_reason(reason);
    return message;
  }

  std::vector<SeriesSpec> named;  // instead of the first ones of m0, m1, ...
  char machine = 'm';
  std::uint64_t durable_seq = 0;  // ever acknowledged
  bool ended = false;             // back-fill
  std::string follows;            // the stream before this one
  std::string boot_id = "boot";

 private:
  const std::string name_;
  const char stream_;
  std::uint64_t next_seq_ = 1;
  std::uint32_t version_ = 0;
  std::size_t width_ = 0;
  wire::RowEncoder encoder_;
};

}  // namespace vigil::aggregator::testing
