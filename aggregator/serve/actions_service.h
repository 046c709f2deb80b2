// vigil.v1.Actions: what is done about alerts. proto/vigil/v1/actions.proto is its documentation.
#pragma once

#include "aggregator/access/call_log.h"
#include "aggregator/alerts/alert_service.h"
#include "aggregator/serve/query_engine.h"
#include "vigil/v1/actions.grpc.pb.h"

namespace vigil::aggregator {

class ActionsService final : public v1::Actions::CallbackService {
 public:
  /// Both outlive the service; `log` is of runs that are asked for and decided on.
  ActionsService(QueryEngine& engine, alerts::AlertService& alerts, access::CallLog log = {})
      : engine_(engine), alerts_(alerts), log_(log) {}

  grpc::ServerUnaryReactor* ListActions(grpc::CallbackServerContext* context,
                                        const v1::ListActionsRequest* request,
                                        v1::ListActionsResponse* response) override;
  grpc::ServerUnaryReactor* ListRuns(grpc::CallbackServerContext* context, const v1::ListRunsRequest* request,
                                     v1::ListRunsResponse* response) override;
  grpc::ServerUnaryReactor* RunAction(grpc::CallbackServerContext* context,
                                      const v1::RunActionRequest* request,
                                      v1::RunActionResponse* response) override;
  grpc::ServerUnaryReactor* DecideRun(grpc::CallbackServerContext* context,
                                      const v1::DecideRunRequest* request,
                                      v1::DecideRunResponse* response) override;

 private:
  Result<void> check_host(const v1::RunActionRequest& request) const;

  QueryEngine& engine_;
  alerts::AlertService& alerts_;
  const access::CallLog log_;
};

}  // namespace vigil::aggregator
