// Streams that were let in, of whatever service: they last for days, and whoever's token or certificate ends
// meanwhile, whose user goes or whose role is lowered, must not read on. Every stream is noted while it
// lasts, and asked for again now and then, as a new call would be; gRPC ends it with the reason.
//
// Nobody has more than kMostOfOne calls at a time, streams or not, over however many connections: gRPC's
// limit is of one connection, and each call is memory and a place in line. Who shows nothing is counted by
// address.
//
// Streams of agents are not among them: the ingest knows their certificates, and ends them with a word that
// an agent understands. Nor is what is open to all.
#pragma once

#include "aggregator/access/call_guard.h"
#include "aggregator/access/gatekeeper.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>

namespace vigil::aggregator::access {

/// A quarter less than queries may wait in line (QueryLimits), and than live tails there may be (TailLimits):
/// some are left for others.
inline constexpr std::size_t kMostOfOne = 48;

/// Any thread. Outlives the server whose streams it knows.
class OpenStreams {
 public:
  /// `gatekeeper` outlives this; `may_call` is what the guard asks, too.
  explicit OpenStreams(Gatekeeper& gatekeeper, MayCall may_call = {});
  ~OpenStreams();

  /// What the server is to be built with.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> noting();
  /// Ends the streams of those who may no longer. Costs as much as a call for each who has one.
  void check();
  std::size_t size() const;

 private:
  class Stream;
  class Noting;
  class Decisions;

  /// False: its caller has too many.
  bool enter(Stream& stream);
  void leave(Stream& stream);

  Gatekeeper& gatekeeper_;
  const MayCall may_call_;
  mutable std::mutex mutex_;  // protects streams_, and whether each was ended
  std::set<Stream*> streams_;
  std::unordered_map<std::string, std::size_t> calls_;  // by caller
};

}  // namespace vigil::aggregator::access
