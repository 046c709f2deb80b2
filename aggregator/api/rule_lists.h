// The routes rules, alerts and alertmanagers.
#pragma once

#include "aggregator/api/desk.h"
#include "aggregator/api/sources.h"

namespace vigil::aggregator::api {

http::Response rules_answer(const Errand& errand, const ApiSources& sources);
http::Response alerts_answer(const ApiSources& sources);
/// None: vigil tells its receivers itself.
http::Response alertmanagers_answer();

}  // namespace vigil::aggregator::api
