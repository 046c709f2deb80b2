#include "aggregator/ingest/session.h"

#include "common/text/utf8.h"
#include "common/wire/names.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator {
namespace {

/// A Gap is stored and logged: an honest agent sends a few, when its buffer ran over.
constexpr int kMaxGaps = 1000;

constexpr int kMaxHostLabels = 16;
constexpr std::uint64_t kMaxSeq = std::uint64_t{1} << 62;  // SQLite's integers are signed
constexpr std::size_t kMaxTextBytes = 256;  // of boot_id, version, reasons: shown, never parsed

Refused protocol(std::string message) {
  return {v1::Refusal::CODE_PROTOCOL, std::move(message), 0};
}

Refused broken(const Error& error) {
  return {error.code == Errc::limit ? v1::Refusal::CODE_LIMIT : v1::Refusal::CODE_PROTOCOL, error.message, 0};
}

std::string shown(const std::string& text) {
  return printable(wire::clean_text(text, kMaxTextBytes));
}

std::variant<Labels, Refused> read_labels(const v1::Hello& hello) {
  if (hello.labels_size() > kMaxHostLabels) {
    return Refused{
        v1::Refusal::CODE_LIMIT,
        fmt::format("Hello.labels has {}, at most {} are taken", hello.labels_size(), kMaxHostLabels), 0};
  }
  Labels labels;
  for (const v1::LabelPair& label : hello.labels()) {
    const bool reserved = label.name() == "instance" || label.name() == "job";
    if (!wire::valid_label_name(label.name()) || reserved) {
      return protocol(
          fmt::format("Hello.labels: '{}' cannot be a label of a host", wire::clean_text(label.name())));
    }
    if (label.value().empty() || label.value().size() > wire::kMaxValueBytes) {
      return protocol(fmt::format("Hello.labels: the value of {} must have 1 to {} bytes", label.name(),
                                  wire::kMaxValueBytes));
    }
    if (labels.has(label.name())) return protocol(fmt::format("Hello.labels names {} twice", label.name()));
    labels.set(label.name(), label.value());
  }
  return labels;
}

std::string check_hello(const v1::Hello& hello) {
  if (!wire::valid_host_name(hello.name())) {
    return fmt::format("Hello.name is '{}', must be 1 to 253 of [A-Za-z0-9._:-]", shown(hello.name()));
  }
  if (hello.machine_id().size() != 16)
    return fmt::format("Hello.machine_id has {} bytes, must have 16", hello.machine_id().size());
  if (hello.stream_id().size() != 16)
    return fmt::format("Hello.stream_id has {} bytes, must have 16", hello.stream_id().size());
  if (!hello.follows().empty() && hello.follows().size() != 16)
    return fmt::format("Hello.follows has {} bytes, must have 16 or none", hello.follows().size());
  if (hello.next_seq() == 0 || hello.next_seq() > kMaxSeq)
    return fmt::format("Hello.next_seq is {}", hello.next_seq());
  if (hello.first_kept_seq() >= hello.next_seq()) {
    return fmt::format("Hello.first_kept_seq is {}, must be below next_seq {}", hello.first_kept_seq(),
                       hello.next_seq());
  }
  if (hello.durable_seq() >= hello.next_seq()) {
    return fmt::format("Hello.durable_seq is {}, must be below next_seq {}", hello.durable_seq(),
                       hello.next_seq());
  }
  if (hello.wall_time_ms() < 0 || hello.wall_time_ms() > wire::kMaxTimeMs) {
    return fmt::format("Hello.wall_time_ms is {}, must be 0 to {}", hello.wall_time_ms(), wire::kMaxTimeMs);
  }
  if (hello.interval_ms() < 100 || hello.interval_ms() > wire::kMaxIntervalMs) {
    return fmt::format("Hello.interval_ms is {}, must be 100 to {}", hello.interval_ms(),
                       wire::kMaxIntervalMs);
  }
  return {};
}

}  // namespace

std::string_view to_string(v1::Refusal::Code code) {
  switch (code) {
    case v1::Refusal::CODE_VERSION:
      return "version";
    case v1::Refusal::CODE_DUPLICATE:
      return "duplicate";
    case v1::Refusal::CODE_PROTOCOL:
      return "protocol";
    case v1::Refusal::CODE_LIMIT:
      return "limit";
    case v1::Refusal::CODE_RESEND:
      return "resend";
    case v1::Refusal::CODE_UNAVAILABLE:
      return "unavailable";
    case v1::Refusal::CODE_FULL:
      return "full";
    case v1::Refusal::CODE_IDENTITY:
      return "identity";
    default:
      return "unspecified";
  }
}

std::variant<Greeting, Refused> read_hello(const v1::AgentMessage& message) {
  if (message.kind_case() != v1::AgentMessage::kHello) return protocol("the first message must be Hello");
  const v1::Hello& hello = message.hello();
  if (hello.protocol() != 1) {
    return Refused{v1::Refusal::CODE_VERSION,
                   fmt::format("protocol {} is not spoken here, only 1", hello.protocol()), 0};
  }
  if (std::string wrong = check_hello(hello); !wrong.empty()) return protocol(std::move(wrong));
  auto labels = read_labels(hello);
  if (auto* refused = std::get_if<Refused>(&labels)) return std::move(*refused);
  Greeting greeting;
  greeting.name = hello.name();
  greeting.machine_id = hello.machine_id();
  std::copy(hello.stream_id().begin(), hello.stream_id().end(), greeting.stream.begin());
  greeting.boot_id = shown(hello.boot_id());
  greeting.first_kept_seq = hello.first_kept_seq();
  greeting.next_seq = hello.next_seq();
  greeting.durable_seq = hello.durable_seq();
  greeting.ended = hello.ended();
  if (!hello.follows().empty())
    std::copy(hello.follows().begin(), hello.follows().end(), greeting.follows.emplace().begin());
  greeting.wall_time_ms = hello.wall_time_ms();
  greeting.agent_version = shown(hello.agent_version());
  greeting.interval_ms = hello.interval_ms();
  greeting.labels = std::move(std::get<Labels>(labels));
  return greeting;
}

Session::Session(const Greeting& greeting, std::uint64_t stored_seq, std::size_t max_series)
    : decoder_(max_series),
      first_kept_seq_(greeting.first_kept_seq == 0 ? greeting.next_seq : greeting.first_kept_seq),
      next_seq_(greeting.next_seq),
      ended_(greeting.ended),
      stored_seq_(stored_seq),
      expected_seq_(stored_seq + 1) {}

SessionEvent Session::begin() {
  if (next_seq_ <= stored_seq_ && !ended_) {
    // A restored snapshot or a copied buffer: its new batches would look like old ones and be dropped without
    // a word.
    return protocol(fmt::format(
        "Hello.next_seq is {}, but {} is stored already: begin a new stream (remove the agent's buffer)",
        next_seq_, stored_seq_));
  }
  if (first_kept_seq_ <= expected_seq_) return Nothing{};
  // Otherwise the agent would be asked for these batches for ever.
  undeclared_ = Lost{expected_seq_,          first_kept_seq_ - 1, first_kept_seq_ - expected_seq_, 0, 0,
                     "not kept by the agent"};
  expected_seq_ = first_kept_seq_;
  return Nothing{};
}

SessionEvent Session::feed(const v1::AgentMessage& message) {
  switch (message.kind_case()) {
    case v1::AgentMessage::kSchema:
      return on_schema(message.schema());
    case v1::AgentMessage::kBatch:
      return on_batch(message.batch());
    case v1::AgentMessage::kGap:
      return on_gap(message.gap());
    case v1::AgentMessage::kBye:
      return Farewell{shown(message.bye().reason())};
    case v1::AgentMessage::kResult:
      return Answer{message.result()};
    case v1::AgentMessage::kHello:
      return protocol("Hello comes once, as the first message");
    case v1::AgentMessage::KIND_NOT_SET:
      break;  // from a newer agent: it has been told our protocol number
  }
  return Nothing{};
}

SessionEvent Session::on_schema(const v1::Schema& schema) {
  auto added = decoder_.add_schema(schema);
  if (!added) return broken(added.error());
  return NewSchema{std::move(*added), expected_seq_};
}

SessionEvent Session::on_batch(const v1::Batch& batch) {
  if (batch.seq() == 0 || batch.seq() > kMaxSeq)
    return protocol(fmt::format("Batch.seq is {}, numbers are 1 to {}", batch.seq(), kMaxSeq));
  if (batch.seq() > expected_seq_) {
    return Refused{v1::Refusal::CODE_RESEND,
                   fmt::format("Batch.seq is {}, {} is missing", batch.seq(), expected_seq_), 0};
  }
  if (started_ && batch.seq() < expected_seq_) {
    return protocol(
        fmt::format("Batch.seq is {}, {} had been received in this stream", batch.seq(), expected_seq_ - 1));
  }
  if (!started_ && !batch.keyframe()) {
    return protocol(
        fmt::format("Batch {} is the first after Hello or Gap and must be a keyframe", batch.seq()));
  }
  auto sources = decoder_.decode(batch);
  if (!sources) return broken(sources.error());
  started_ = true;
  expected_seq_ = batch.seq() + 1;
  const Storing storing = batch.seq() <= stored_seq_ ? Storing::drop : Storing::append;
  stored_seq_ = std::max(stored_seq_, batch.seq());
  return NewBatch{batch.seq(), batch.keyframe(), storing, *sources, std::exchange(undeclared_, std::nullopt)};
}

SessionEvent Session::on_gap(const v1::Gap& gap) {
  if (++gaps_ > kMaxGaps) return protocol(fmt::format("more than {} Gaps in one stream", kMaxGaps));
  const bool earlier = gap.first_seq() == 0 && gap.last_seq() == 0;  // of a stream before this one
  const bool counted = gap.batches() > 0 && gap.batches() <= kMaxSeq;
  const bool timed = gap.first_time_ms() != 0 && gap.last_time_ms() != 0;
  if (earlier && (!counted || !timed))
    return protocol("Gap of an earlier stream must say how many batches, and both times");
  const bool ordered = gap.first_seq() != 0 && gap.last_seq() >= gap.first_seq() && gap.last_seq() <= kMaxSeq;
  if (!earlier && !ordered) {
    return protocol(fmt::format("Gap from {} to {} is none", gap.first_seq(), gap.last_seq()));
  }
  const bool open_end = gap.last_time_ms() == 0;
  if (gap.first_time_ms() < 0 || gap.first_time_ms() > wire::kMaxTimeMs ||
      gap.last_time_ms() > wire::kMaxTimeMs || (!open_end && gap.last_time_ms() < gap.first_time_ms())) {
    return protocol(fmt::format("Gap times {} to {} are none", gap.first_time_ms(), gap.last_time_ms()));
  }
  const Lost lost{
      gap.first_seq(),     gap.last_seq(),     earlier ? gap.batches() : gap.last_seq() - gap.first_seq() + 1,
      gap.first_time_ms(), gap.last_time_ms(), shown(gap.reason())};
  if (earlier) return lost;
  if (undeclared_ && gap.last_seq() >= undeclared_->last_seq) undeclared_.reset();
  if (gap.last_seq() >= expected_seq_ && gap.first_seq() <= expected_seq_) {
    expected_seq_ = gap.last_seq() + 1;
    started_ = false;  // deltas cannot build on what was lost: a keyframe follows
  }
  return lost;
}

}  // namespace vigil::aggregator
