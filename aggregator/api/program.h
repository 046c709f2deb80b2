// The routes below /api/v1/status: what program this is, how it was started, what it holds.
#pragma once

#include "aggregator/api/desk.h"
#include "aggregator/api/sources.h"

namespace vigil::aggregator::api {

/// The version of Prometheus whose API this is, for clients that choose what to ask by it.
inline constexpr std::string_view kPrometheusVersion = "3.5.0";

http::Response build_info_answer(const Facts& facts);
http::Response config_answer(const ApiSources& sources);
http::Response flags_answer(const Facts& facts);
http::Response runtime_info_answer(const ApiSources& sources);
/// How many series there are, and which names and labels make the most of them.
http::Response tsdb_answer(const Errand& errand, const ApiSources& sources);
/// The journal has been replayed before anybody can ask.
http::Response wal_replay_answer();
/// The Prometheus page asks for what its server wants people to know.
http::Response notifications_answer();

}  // namespace vigil::aggregator::api
