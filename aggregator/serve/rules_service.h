// vigil.v1.Rules: rules on trial over the history. proto/vigil/v1/rules.proto is its documentation. Replays
// run on a thread of their own, one at a time.
#pragma once

#include "aggregator/promql/storage.h"
#include "aggregator/rules/rule_set.h"
#include "common/threads/worker.h"
#include "vigil/v1/rules.grpc.pb.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace vigil::aggregator {

/// What the service is made of; all of it outlives the service.
struct RulesSources {
  std::function<rules::RuleSetPtr()> in_force;
  std::function<std::unique_ptr<promql::Storage>()> open_storage;
  std::function<std::int64_t()> now_ms;
  std::chrono::milliseconds interval{};  // of groups that name none
};

class RulesService final : public v1::Rules::CallbackService {
 public:
  explicit RulesService(RulesSources sources);

  /// Ends what runs; the server must have been stopped.
  void stop();

  grpc::ServerWriteReactor<v1::ReplayEvent>* Replay(grpc::CallbackServerContext* context,
                                                    const v1::ReplayRequest* request) override;

 private:
  const RulesSources sources_;
  std::atomic<bool> replaying_ = false;
  std::atomic<bool> stopping_ = false;
  Worker worker_{"rule replay"};
};

}  // namespace vigil::aggregator
