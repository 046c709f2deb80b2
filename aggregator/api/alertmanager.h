// Alertmanager's HTTP API, version 2, as far as amtool and dashboards read and set it: status, alerts
// and their groups, receivers, silences. https://github.com/prometheus/alertmanager, api/v2/openapi.yaml.
#pragma once

#include "aggregator/api/desk.h"
#include "aggregator/api/sources.h"
#include "aggregator/silences/silence.h"
#include "common/error.h"

#include <string_view>

namespace vigil::aggregator::api {

http::Response alertmanager_status_answer(const ApiSources& sources);
http::Response alertmanager_alerts_answer(const Errand& errand, const ApiSources& sources);
http::Response alertmanager_groups_answer(const Errand& errand, const ApiSources& sources);
http::Response alertmanager_receivers_answer(const ApiSources& sources);
http::Response silences_answer(const Errand& errand, const ApiSources& sources);
http::Response silence_answer(const Errand& errand, const ApiSources& sources);
http::Response put_silence_answer(const Errand& errand, const ApiSources& sources);
http::Response delete_silence_answer(const Errand& errand, const ApiSources& sources);

/// The body of POST silences: {"matchers":[{"name","value","isRegex","isEqual"}],"startsAt","endsAt",
/// "createdBy","comment","id"}. Not checked yet.
Result<silences::Silence> parse_silence(std::string_view body);

}  // namespace vigil::aggregator::api
