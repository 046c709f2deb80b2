// Alerts, and what explains them, as messages of vigil.v1.Fleet.
#pragma once

#include "aggregator/alerts/explanation.h"
#include "aggregator/alerts/rule_outlook.h"
#include "aggregator/head/fleet_view.h"
#include "vigil/v1/fleet.pb.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// When hosts that are away were last heard of, in Unix milliseconds of the aggregator's clock, by name.
using Unheard = std::map<std::string, std::int64_t, std::less<>>;
Unheard unheard_of(const std::vector<HostInfo>& hosts);

void put_alert(const alerts::AlertInfo& info, const Unheard& unheard, v1::Alert& out);
void put_event(const alerts::Event& event, v1::AlertEvent& out);
void put_outlook(const alerts::RuleOutlook& outlook, v1::RuleOutlook& out);

}  // namespace vigil::aggregator
