// The aggregator's end of the Ingest stream for tests and benchmarks, scripted: a function says what to
// answer to each message.
#pragma once

#include "vigil/v1/ingest.pb.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::test {

/// What to do about one message.
struct Reply {
  std::vector<v1::AggregatorMessage> answers;
  bool close = false;  // end the stream after the answers
};

class FakeAggregator {
 public:
  /// Called for each message of each connection (numbered from 1), one call at a time.
  using Script = std::function<Reply(int connection, const v1::AgentMessage& message)>;

  /// Listens on a port of its own on loopback, or on `port`.
  explicit FakeAggregator(Script script, int port = 0);
  /// Cuts all streams.
  ~FakeAggregator();

  std::string address() const;
  int port() const;
  int connections() const;

 private:
  class Service;
  std::unique_ptr<Service> service_;
};

/// A script that takes everything and acknowledges each batch.
FakeAggregator::Script acknowledge_all();

}  // namespace vigil::test
