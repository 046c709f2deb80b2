// One connection's conversation with the aggregator, as proto/vigil/v1/ingest.proto has it, without the
// connection: what to write next, and what an answer means. Pure: time comes in as an argument.
#pragma once

#include "agent/delivery/buffer.h"
#include "common/delivery/pace.h"
#include "common/error.h"
#include "common/wire/names.h"
#include "vigil/v1/ingest.pb.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vigil::agent {

/// What a Hello says that may become another while the agent runs.
struct Greeting {
  std::chrono::milliseconds interval{1000};
  std::vector<std::pair<std::string, std::string>> labels;
};

/// Who this agent is; see Hello in the protocol for each field.
struct Identity {
  std::string name;
  std::string machine_id;  // 16 bytes
  std::string stream_id;   // 16 bytes
  std::string follows;     // stream_id of the live stream before this one, or empty
  std::string boot_id;
  std::string agent_version;
  std::chrono::milliseconds interval{1000};
  std::vector<std::pair<std::string, std::string>> labels;
};

/// Why a conversation is over, and when another attempt makes sense.
struct End {
  enum class Kind : std::uint8_t {
    resend,     // the aggregator misses a batch: connect again and go on from there
    duplicate,  // another agent has this name
    version,    // this protocol is not spoken there
    rejected,   // it found our bytes wrong, or too many
    away,       // unavailable, silent, or it broke the protocol itself
  };
  Kind kind = Kind::away;
  Error error;
  std::optional<std::chrono::milliseconds> retry_after;  // nothing: the back-off decides
};

/// Owned by the stream, one per connection; the delivery's thread.
class Session {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Both must outlive the session.
  Session(Buffer& buffer, const Identity& identity, Time start)
      : buffer_(buffer), identity_(identity), started_(start) {}

  /// The next message to write, valid until the next call; nullptr when there is nothing to send now.
  const std::string* next(Time now, std::int64_t wall_ms);
  std::optional<End> received(const v1::AggregatorMessage& message, Time now);
  /// Whether the aggregator has been silent for too long.
  std::optional<End> check(Time now) const;
  /// What to do about a message of next() larger than the aggregator takes: sending it would end the stream,
  /// again and again.
  std::optional<End> check_size(const std::string& message) const;
  /// When check() will first say so; nothing while no answer is awaited.
  std::optional<Time> deadline() const;
  /// Says Bye once all that is kept has been sent.
  void leave() { leaving_ = Leaving::stops; }
  /// The stream is over, to be said before the first next(): it is delivered as back-fill, on credit, and
  /// ends with Bye.
  void back_fill() { leaving_ = Leaving::ended; }
  /// What an earlier stream lost, to be told before the next batch. Once that one is durable (the number
  /// given back), so is this.
  std::uint64_t declare(const LostBatches& lost);
  /// Bye was given out by next(), and everything is durable.
  bool left() const { return bye_sent_ && buffer_.all_durable(); }

  /// Everything is durable: the aggregator has nothing to answer until more is sent. Within seconds there
  /// will be, so that whatever else it says waits no longer than that.
  bool idle() const;

  bool welcomed() const { return phase_ == Phase::streaming; }
  /// A message beside the batches, once the aggregator has welcomed us; of a live stream only.
  void answer(std::string message) { answers_.push_back(std::move(message)); }
  /// Those that were not sent, when the connection is over.
  std::deque<std::string> take_answers() { return std::exchange(answers_, {}); }
  /// What the aggregator asked for since the last call.
  std::vector<v1::ActionRequest> take_requests() { return std::exchange(requests_, {}); }
  /// All there is was sent, and all but the latest is durable.
  bool caught_up() const;
  const Buffer& buffer() const { return buffer_; }
  /// Something became durable that was not before.
  bool progressed() const { return progressed_; }
  std::optional<std::chrono::milliseconds> delivery_interval() const { return delivery_interval_; }
  std::optional<std::size_t> max_series() const { return max_series_; }
  /// The aggregator's clock minus ours, when it welcomed us.
  std::chrono::milliseconds clock_offset() const { return clock_offset_; }

  static constexpr std::size_t kMostRequests = 64;   // that nobody has taken; further ones are left alone
  static constexpr std::uint64_t kMostUnderWay = 3;  // batches, of one that has caught up

 private:
  enum class Phase : std::uint8_t { hello, waiting, streaming };
  const std::string* next_unpaid(Time now);
  void say_hello(std::int64_t wall_ms);
  void resume_at(std::uint64_t seq, std::uint64_t durable_seq);
  void begin_at_cursor();
  std::optional<End> welcomed_by(const v1::Welcome& welcome, Time now);
  std::optional<End> acknowledged_by(const v1::Ack& ack, Time now);
  std::uint64_t believed(std::uint64_t durable_seq) const;

  Buffer& buffer_;
  const Identity& identity_;
  const Time started_;
  Phase phase_ = Phase::hello;
  std::deque<std::string> answers_;
  std::vector<v1::ActionRequest> requests_;
  std::deque<std::string> prelude_;  // goes out before the batch `cursor_`
  std::string current_;
  std::uint64_t cursor_ = 0;            // next batch to send
  std::uint64_t durable_ = 0;           // the aggregator has it, as it told this session
  bool resuming_ = false;               // what goes before the batch `cursor_` is still to be found out
  std::uint64_t had_ = 0;               // then: the aggregator's last batch before `cursor_`
  std::uint64_t schemas_sent_for_ = 0;  // the batch whose schemas are in the prelude or were sent
  std::optional<Time> waiting_since_;   // for an Ack of something sent
  std::int64_t hello_wall_ms_ = 0;
  std::optional<std::chrono::milliseconds> delivery_interval_;
  std::optional<std::size_t> max_series_;
  std::size_t max_message_bytes_ = wire::kMaxMessageBytes;
  std::chrono::milliseconds clock_offset_{0};
  enum class Leaving : std::uint8_t { no, stops, ended };
  Leaving leaving_ = Leaving::no;
  std::uint64_t credit_ = 0;  // of back-fill: bytes that may be sent, and were
  std::uint64_t spent_ = 0;
  bool bye_sent_ = false;
  bool progressed_ = false;
};

}  // namespace vigil::agent
