#include "aggregator/serve/reload_report.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

namespace vigil::aggregator {
namespace {

namespace json = boost::json;

json::object as_object(const std::vector<config::Setting>& settings) {
  json::object out;
  for (const config::Setting& setting : settings) out[setting.path] = setting.value;
  return out;
}

}  // namespace

access::Change change_of(const Result<ReloadReport>& report) {
  if (!report) return {"reload", "", "", json::serialize(json::object{{"refused", report.error().message}})};
  json::object after{{"settings", as_object(report->after)}, {"changed", json::value_from(report->changed)}};
  if (!report->needs_restart.empty()) after["needs_restart"] = json::value_from(report->needs_restart);
  return {"reload", "", json::serialize(json::object{{"settings", as_object(report->before)}}),
          json::serialize(after)};
}

}  // namespace vigil::aggregator
