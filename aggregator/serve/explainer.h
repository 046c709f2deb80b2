// Why an alert, or a rule, is as it is: the alert service's events, and what the rule's expression gives now.
#pragma once

#include "aggregator/serve/alert_messages.h"
#include "aggregator/serve/query_engine.h"
#include "vigil/v1/fleet.pb.h"

#include <string>
#include <vector>

namespace vigil::aggregator {

struct FleetSources;

/// When hosts that are away were last heard of; nothing where the shards do not answer in time.
Unheard unheard_by(const FleetSources& sources);

/// Made for one question, on a query thread: it blocks.
class Explainer {
 public:
  Explainer(const FleetSources& sources, const QueryEngine::Cancelled& cancelled)
      : sources_(sources), cancelled_(cancelled) {}

  /// Errc::not_found names what is not there.
  Result<void> explain(const v1::ExplainAlertRequest& request, v1::ExplainAlertResponse& out) const;

 private:
  Result<void> explain_alert(const std::string& id, v1::ExplainAlertResponse& out) const;
  Result<void> explain_rules(const std::string& name, const std::string& host,
                             v1::ExplainAlertResponse& out) const;
  void add_outlooks(const std::vector<alerts::RuleInfo>& rules, const std::string& host,
                    v1::ExplainAlertResponse& out) const;

  const FleetSources& sources_;
  const QueryEngine::Cancelled& cancelled_;
};

}  // namespace vigil::aggregator
