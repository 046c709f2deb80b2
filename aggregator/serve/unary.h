// The common shape of the services' calls: on gRPC's thread hand over, on a query thread work, finish once.
#pragma once

#include "aggregator/serve/query_engine.h"

#include <grpcpp/grpcpp.h>

#include <utility>

namespace vigil::aggregator {

/// INVALID_ARGUMENT for wrong input, RESOURCE_EXHAUSTED past a limit, and so on; the message goes with it.
grpc::Status to_grpc(const Error& error);

/// `work(cancelled)` gives Result<void>. It may write the response; request and response live until the call
/// is finished.
template <class Work>
grpc::ServerUnaryReactor* answer(QueryEngine& engine, grpc::CallbackServerContext* context, Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto queued = engine.submit([reactor, context, work = std::move(work)] {
    const Result<void> result = work([context] { return context->IsCancelled(); });
    reactor->Finish(result ? grpc::Status::OK : to_grpc(result.error()));
  });
  if (!queued) reactor->Finish(to_grpc(queued.error()));
  return reactor;
}

}  // namespace vigil::aggregator
