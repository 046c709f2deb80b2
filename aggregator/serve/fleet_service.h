// vigil.v1.Fleet: hosts, containers, alerts, rules and the aggregator itself. proto/vigil/v1/fleet.proto is
// its documentation.
#pragma once

#include "aggregator/access/call_log.h"
#include "aggregator/alerts/alert_service.h"
#include "aggregator/notify/notifier.h"
#include "aggregator/serve/query_engine.h"
#include "aggregator/serve/reload_report.h"
#include "vigil/v1/fleet.grpc.pb.h"

#include <functional>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// What the service is made of; all of it outlives the service.
struct FleetSources {
  QueryEngine& engine;
  alerts::AlertService& alerts;
  std::function<std::int64_t()> now_ms;
  /// Fills in what only the wiring knows: version, store, process, notifications.
  std::function<void(v1::Status&)> describe_process;
  std::function<std::vector<notify::ReceiverStats>()> receivers;
  /// See Notifier::test().
  std::function<Result<std::vector<notify::TestAnswer>>(const std::string& receiver,
                                                        const std::function<bool()>& is_cancelled)>
      test_receiver;
  access::CallLog log = {};  // of what is changed
  /// Has the configuration read again; calls back once, on any thread, when it is in force.
  std::function<void(std::function<void(const Result<ReloadReport>&)>)> reload;
};

class FleetService final : public v1::Fleet::CallbackService {
 public:
  explicit FleetService(FleetSources sources) : sources_(std::move(sources)) {}

  grpc::ServerUnaryReactor* ListHosts(grpc::CallbackServerContext* context,
                                      const v1::ListHostsRequest* request,
                                      v1::ListHostsResponse* response) override;
  grpc::ServerUnaryReactor* ListContainers(grpc::CallbackServerContext* context,
                                           const v1::ListContainersRequest* request,
                                           v1::ListContainersResponse* response) override;
  grpc::ServerUnaryReactor* ListAlerts(grpc::CallbackServerContext* context,
                                       const v1::ListAlertsRequest* request,
                                       v1::ListAlertsResponse* response) override;
  grpc::ServerUnaryReactor* ListRules(grpc::CallbackServerContext* context,
                                      const v1::ListRulesRequest* request,
                                      v1::ListRulesResponse* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request, v1::Status* response) override;
  grpc::ServerUnaryReactor* ListGaps(grpc::CallbackServerContext* context, const v1::ListGapsRequest* request,
                                     v1::ListGapsResponse* response) override;
  grpc::ServerUnaryReactor* ForgetHost(grpc::CallbackServerContext* context,
                                       const v1::ForgetHostRequest* request,
                                       v1::ForgetHostResponse* response) override;
  grpc::ServerUnaryReactor* ExplainAlert(grpc::CallbackServerContext* context,
                                         const v1::ExplainAlertRequest* request,
                                         v1::ExplainAlertResponse* response) override;
  grpc::ServerUnaryReactor* AcknowledgeAlert(grpc::CallbackServerContext* context,
                                             const v1::AcknowledgeAlertRequest* request,
                                             v1::AcknowledgeAlertResponse* response) override;
  grpc::ServerUnaryReactor* ListReceivers(grpc::CallbackServerContext* context,
                                          const v1::ListReceiversRequest* request,
                                          v1::ListReceiversResponse* response) override;
  grpc::ServerUnaryReactor* ListRoutes(grpc::CallbackServerContext* context,
                                       const v1::ListRoutesRequest* request,
                                       v1::ListRoutesResponse* response) override;
  grpc::ServerUnaryReactor* TestReceiver(grpc::CallbackServerContext* context,
                                         const v1::TestReceiverRequest* request,
                                         v1::TestReceiverResponse* response) override;
  grpc::ServerUnaryReactor* ListDeadMessages(grpc::CallbackServerContext* context,
                                             const v1::ListDeadMessagesRequest* request,
                                             v1::ListDeadMessagesResponse* response) override;
  grpc::ServerUnaryReactor* ResendMessages(grpc::CallbackServerContext* context,
                                           const v1::ResendMessagesRequest* request,
                                           v1::ResendMessagesResponse* response) override;
  grpc::ServerUnaryReactor* DropMessages(grpc::CallbackServerContext* context,
                                         const v1::DropMessagesRequest* request,
                                         v1::DropMessagesResponse* response) override;
  grpc::ServerUnaryReactor* ListSilences(grpc::CallbackServerContext* context,
                                         const v1::ListSilencesRequest* request,
                                         v1::ListSilencesResponse* response) override;
  grpc::ServerUnaryReactor* PutSilence(grpc::CallbackServerContext* context,
                                       const v1::PutSilenceRequest* request,
                                       v1::PutSilenceResponse* response) override;
  grpc::ServerUnaryReactor* ExpireSilence(grpc::CallbackServerContext* context,
                                          const v1::ExpireSilenceRequest* request,
                                          v1::ExpireSilenceResponse* response) override;
  grpc::ServerUnaryReactor* Reload(grpc::CallbackServerContext* context, const v1::ReloadRequest* request,
                                   v1::ReloadResponse* response) override;

 private:
  void put_known_silence(const std::string& id, v1::Silence& out) const;

  FleetSources sources_;
};

}  // namespace vigil::aggregator
