// The way back to an agent, as a shard sees it. Implemented by the gRPC service; a list of calls in tests.
#pragma once

#include "aggregator/ingest/session.h"

#include <cstdint>
#include <string>

namespace vigil::aggregator {

/// What an Ack says; 0: nothing new.
struct Acknowledgement {
  std::uint64_t durable_seq = 0;
  std::uint32_t delivery_interval_ms = 0;
  std::uint64_t backfill_credit = 0;
};

/// Thread-safe; no call blocks, and calls after the stream's end do nothing. Shared by the stream and the
/// shard.
class AgentLink {
 public:
  virtual ~AgentLink() = default;
  virtual void welcome(const v1::Welcome& welcome) = 0;
  /// Cumulative: a later acknowledgement replaces one that is not sent yet.
  virtual void acknowledge(const Acknowledgement& acknowledgement) = 0;
  /// Asks the agent for an action.
  virtual void request(const v1::ActionRequest& action) = 0;
  /// Sends the refusal and ends the stream.
  virtual void refuse(const Refused& refused) = 0;
  /// A message handed over was dealt with: another may be read, at once or, when an acknowledgement follows
  /// soon, together with that.
  virtual void taken(bool ack_follows) = 0;
  /// Reads on, should no acknowledgement come.
  virtual void nudge() = 0;
  virtual const std::string& remote() const = 0;
};

}  // namespace vigil::aggregator
