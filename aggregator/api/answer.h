// The envelope of Prometheus's API around data that is written a little at a time, and its errors.
//
//   {"status":"success","data":...,"warnings":[...],"infos":[...]}
//   {"status":"error","errorType":"bad_data","error":"..."}
#pragma once

#include "aggregator/api/json_writer.h"
#include "aggregator/http/message.h"
#include "aggregator/promql/value.h"
#include "common/error.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace vigil::aggregator::api {

enum class Progress : std::uint8_t { more, done };

/// Writes the next bit of an answer's data: some kilobytes at most, so that a large answer never stands in
/// memory as text. Called until it says `done`.
using DataSteps = std::function<Progress(JsonWriter& json)>;

/// Data that is small: written at once.
http::Response success(const std::function<void(JsonWriter& json)>& write,
                       const promql::Annotations& annotations = {});
/// Data that may be large: what fits into the first piece is made now, the rest as the client takes it.
http::Response success_in_steps(DataSteps steps, promql::Annotations annotations = {});

/// What is wrong with the request itself.
http::Response bad_data(std::string_view message);
inline http::Response bad_data(const Error& error) {
  return bad_data(error.message);
}
/// What went wrong while a good request was worked on: timeout and unavailable 503, what is broken here 500,
/// everything else 422 "execution".
http::Response execution_error(const Error& error);
/// Nobody waits for this answer any more.
http::Response canceled();
/// Too much is asked for at the same time.
http::Response too_busy(std::string_view message);

}  // namespace vigil::aggregator::api
