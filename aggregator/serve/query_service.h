// vigil.v1.Query: PromQL over gRPC. proto/vigil/v1/query.proto is its documentation.
#pragma once

#include "aggregator/serve/live_tails.h"
#include "aggregator/serve/query_engine.h"
#include "vigil/v1/query.grpc.pb.h"

#include <functional>

namespace vigil::aggregator {

class QueryService final : public v1::Query::CallbackService {
 public:
  /// `engine` and `tails` outlive this; `now_ms` is the clock for "now".
  QueryService(QueryEngine& engine, LiveTails& tails, std::function<std::int64_t()> now_ms)
      : engine_(engine), tails_(tails), now_ms_(std::move(now_ms)) {}

  grpc::ServerUnaryReactor* Instant(grpc::CallbackServerContext* context, const v1::InstantRequest* request,
                                    v1::QueryResult* response) override;
  grpc::ServerUnaryReactor* Range(grpc::CallbackServerContext* context, const v1::RangeRequest* request,
                                  v1::QueryResult* response) override;
  grpc::ServerUnaryReactor* Series(grpc::CallbackServerContext* context, const v1::SeriesRequest* request,
                                   v1::SeriesResponse* response) override;
  grpc::ServerUnaryReactor* Labels(grpc::CallbackServerContext* context, const v1::LabelsRequest* request,
                                   v1::LabelsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchUpdate>* Watch(grpc::CallbackServerContext* context,
                                                   const v1::WatchRequest* request) override;

 private:
  QueryEngine& engine_;
  LiveTails& tails_;
  const std::function<std::int64_t()> now_ms_;
};

}  // namespace vigil::aggregator
