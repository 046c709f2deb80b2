// The route /federate: the newest sample of what is asked for, as text for another Prometheus to scrape.
#pragma once

#include "aggregator/api/desk.h"
#include "aggregator/api/sources.h"

namespace vigil::aggregator::api {

http::Response federate_answer(const Errand& errand, const ApiSources& sources);

}  // namespace vigil::aggregator::api
