// The page behind graphLink and tableLink of rules' templates, which are paths of Prometheus's: what an
// expression is now, as text. No graph; for that there is Grafana.
#pragma once

#include "aggregator/http/message.h"
#include "aggregator/promql/value.h"
#include "common/error.h"

#include <string>

namespace vigil::aggregator {

/// `expression` stands in the query as g0.expr; empty: none is asked for, and `value` is not looked at. An
/// error gives the status that its code has in the API.
http::Response graph_page(const std::string& expression, const Result<promql::Value>& value);

}  // namespace vigil::aggregator
