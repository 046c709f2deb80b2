#include "agent/docker_reader/reduced.h"

#include <boost/json.hpp>
#include <span>
#include <vector>

namespace vigil::agent::docker {
namespace {

namespace json = boost::json;

// A field by its way through the document; arrays on the way count for each of their elements. What
// docker_json.cpp reads, which tests/agent/docker_reader/reduced_test.cpp compares.
using Fields = std::span<const std::string_view>;

constexpr std::string_view kVersionFields[] = {"Version", "ApiVersion", "Components/Name"};
constexpr std::string_view kListFields[] = {"Id",
                                            "Names",
                                            "Image",
                                            "State",
                                            "Status",
                                            "Health/Status",
                                            "Labels/com.docker.compose.project",
                                            "Labels/com.docker.compose.service"};
constexpr std::string_view kInspectFields[] = {"Id",
                                               "Name",
                                               "RestartCount",
                                               "Config/Image",
                                               "Config/Labels/com.docker.compose.project",
                                               "Config/Labels/com.docker.compose.service",
                                               "HostConfig/NetworkMode",
                                               "State/Status",
                                               "State/Health/Status",
                                               "State/OOMKilled",
                                               "State/Pid",
                                               "State/ExitCode",
                                               "State/StartedAt",
                                               "State/FinishedAt"};
constexpr std::string_view kEventFields[] = {"Action",   "status",   "id",
                                             "timeNano", "Actor/ID", "Actor/Attributes/name"};

Fields fields_of(Kind kind) {
  switch (kind) {
    case Kind::version:
      return kVersionFields;
    case Kind::list:
      return kListFields;
    case Kind::inspect:
      return kInspectFields;
    case Kind::events:
      return kEventFields;
    case Kind::ping:
      break;
  }
  return {};
}

bool is_plain(const json::value& value) {
  return value.is_string() || value.is_int64() || value.is_bool() || value.is_null();
}

/// A text, a whole number, a truth, or a list of them: what an object in their place holds, nobody knows.
json::value plain(const json::value& from) {
  if (is_plain(from)) return from;
  json::array all;
  if (from.is_array()) {
    for (const json::value& element : from.get_array()) {
      if (is_plain(element)) all.push_back(element);
    }
  }
  return all;
}

json::value kept(const json::value& from, Fields fields) {
  if (from.is_array()) {
    json::array all;
    for (const json::value& element : from.get_array()) all.push_back(kept(element, fields));
    return all;
  }
  json::object out;
  if (!from.is_object()) return out;
  for (const auto& member : from.get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    std::vector<std::string_view> below;
    for (const std::string_view field : fields) {
      if (field == name) out.insert_or_assign(member.key(), plain(member.value()));
      if (field.size() > name.size() && field.starts_with(name) && field[name.size()] == '/')
        below.push_back(field.substr(name.size() + 1));
    }
    if (!below.empty()) out.insert_or_assign(member.key(), kept(member.value(), below));
  }
  return out;
}

/// Docker says in an event what was run in a container: "exec_start: psql --password=…". The agent needs to
/// know that something was run; of health checks ("health_status: healthy") it reads the rest, too.
void cut_commands(json::value& event) {
  if (!event.is_object()) return;
  for (const char* const name : {"Action", "status"}) {
    json::value* const action = event.get_object().if_contains(name);
    if (action == nullptr) continue;
    const std::string_view text = action->is_string() ? std::string_view(action->get_string()) : "";
    if (!text.starts_with("health_status")) *action = json::string(text.substr(0, text.find(':')));
  }
}

}  // namespace

Result<std::string> reduced(Kind kind, std::string_view answer) {
  if (kind == Kind::ping) return std::string("OK");
  json::monotonic_resource arena;
  json::parse_options options;
  options.max_depth = 32;
  boost::system::error_code error;
  const json::value document =
      json::parse(json::string_view(answer.data(), answer.size()), error, &arena, options);
  if (error) return fail(Errc::parse, "the engine's answer is not JSON: {}", error.message());
  json::value rest = kept(document, fields_of(kind));
  if (kind == Kind::events) cut_commands(rest);
  return json::serialize(rest);
}

}  // namespace vigil::agent::docker
