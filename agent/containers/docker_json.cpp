#include "agent/containers/docker_json.h"

#include "agent/files/scan.h"

#include <boost/json.hpp>
#include <chrono>

namespace vigil::agent {
namespace {

namespace json = boost::json;

/// A parsed document with the arena it lives in.
struct Document {
  json::monotonic_resource arena;
  json::value root = json::value(&arena);
};

Result<void> parse(std::string_view text, std::string_view what, Document& document) {
  json::parse_options options;
  options.max_depth = 32;
  boost::system::error_code error;
  document.root = json::parse(json::string_view(text.data(), text.size()), error, &document.arena, options);
  if (error) return fail(Errc::parse, "{}: not JSON: {}", what, error.message());
  return {};
}

/// The member, or nullptr when `value` is not an object or does not have it: Go leaves out empty members and
/// writes null for others.
const json::value* member(const json::value* value, std::string_view name) {
  if (value == nullptr || !value->is_object()) return nullptr;
  return value->get_object().if_contains(json::string_view(name.data(), name.size()));
}

std::string_view text_of(const json::value* value) {
  if (value == nullptr || !value->is_string()) return {};
  const json::string& text = value->get_string();
  return {text.data(), text.size()};
}

std::int64_t integer_of(const json::value* value) {
  if (value == nullptr) return 0;
  if (value->is_int64()) return value->get_int64();
  return 0;
}

bool truth_of(const json::value* value) {
  return value != nullptr && value->is_bool() && value->get_bool();
}

/// Label values are bounded, and cut between characters of UTF-8.
std::string bounded(std::string_view text) {
  if (text.size() <= kMaxLabelBytes) return std::string(text);
  std::size_t end = kMaxLabelBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

std::string without_slash(std::string_view name) {
  if (name.starts_with('/')) name.remove_prefix(1);
  return bounded(name);
}

/// A list gives several names when others link to the container ("/web/db"): its own has no second slash.
std::string own_name(const json::value* names) {
  if (names == nullptr || !names->is_array()) return {};
  for (const json::value& name : names->get_array()) {
    const std::string_view text = text_of(&name);
    if (text.size() > 1 && text.find('/', 1) == std::string_view::npos) return without_slash(text);
  }
  return {};
}

template <class Target>
void take_compose_labels(const json::value* labels, Target& target) {
  target.compose_project = bounded(text_of(member(labels, "com.docker.compose.project")));
  target.compose_service = bounded(text_of(member(labels, "com.docker.compose.service")));
}

std::optional<ContainerHealth> parse_health(std::string_view text) {
  if (text == "healthy") return ContainerHealth::healthy;
  if (text == "unhealthy") return ContainerHealth::unhealthy;
  if (text == "starting") return ContainerHealth::starting;
  if (text == "none") return ContainerHealth::none;
  return std::nullopt;
}

ListedContainer listed(const json::value& from) {
  ListedContainer container;
  container.id = bounded(text_of(member(&from, "Id")));
  container.name = own_name(member(&from, "Names"));
  container.image = bounded(text_of(member(&from, "Image")));
  container.state = parse_state(text_of(member(&from, "State")));
  container.health = parse_health(text_of(member(member(&from, "Health"), "Status")));  // API 1.52
  if (!container.health) container.health = parse_status_health(text_of(member(&from, "Status")));
  take_compose_labels(member(&from, "Labels"), container);
  return container;
}

}  // namespace

ContainerState parse_state(std::string_view text) {
  for (std::size_t i = 0; i < kContainerStates; ++i) {
    if (text == kContainerStateNames[i]) return static_cast<ContainerState>(i);
  }
  if (text == "stopping") return ContainerState::running;
  if (text == "stopped") return ContainerState::exited;
  return ContainerState::created;
}

std::optional<ContainerHealth> parse_status_health(std::string_view status) {
  if (status.ends_with("(healthy)")) return ContainerHealth::healthy;
  if (status.ends_with("(unhealthy)")) return ContainerHealth::unhealthy;
  if (status.ends_with("(health: starting)")) return ContainerHealth::starting;
  return std::nullopt;
}

Result<RuntimeVersion> parse_version(std::string_view text) {
  Document document;
  if (const auto parsed = parse(text, "/version", document); !parsed) return parsed.error();
  RuntimeVersion version;
  version.version = bounded(text_of(member(&document.root, "Version")));
  version.api = bounded(text_of(member(&document.root, "ApiVersion")));
  if (version.api.empty())
    return fail(Errc::parse, "/version: no ApiVersion, expected text such as \"1.41\"");
  version.engine = "docker";
  const json::value* components = member(&document.root, "Components");
  if (components != nullptr && components->is_array()) {
    for (const json::value& component : components->get_array()) {
      if (text_of(member(&component, "Name")).starts_with("Podman")) version.engine = "podman";
    }
  }
  return version;
}

Result<std::vector<ListedContainer>> parse_container_list(std::string_view text) {
  Document document;
  if (const auto parsed = parse(text, "/containers/json", document); !parsed) return parsed.error();
  if (!document.root.is_array()) return fail(Errc::parse, "/containers/json: expected an array");
  std::vector<ListedContainer> containers;
  for (const json::value& element : document.root.get_array()) {
    ListedContainer container = listed(element);
    if (!container.id.empty() && !container.name.empty()) containers.push_back(std::move(container));
  }
  return containers;
}

Result<InspectedContainer> parse_inspect(std::string_view text) {
  Document document;
  if (const auto parsed = parse(text, "/containers/{id}/json", document); !parsed) return parsed.error();
  const json::value* root = &document.root;
  InspectedContainer container;
  container.id = bounded(text_of(member(root, "Id")));
  container.name = without_slash(text_of(member(root, "Name")));
  if (container.id.empty() || container.name.empty()) {
    return fail(Errc::parse, "/containers/{{id}}/json: expected an object with Id and Name");
  }
  const json::value* config = member(root, "Config");
  container.image = bounded(text_of(member(config, "Image")));
  take_compose_labels(member(config, "Labels"), container);
  const std::string_view network = text_of(member(member(root, "HostConfig"), "NetworkMode"));
  container.shares_network = network == "host" || network.starts_with("container:");
  container.restart_count = std::max<std::int64_t>(integer_of(member(root, "RestartCount")), 0);
  const json::value* state = member(root, "State");
  container.state = parse_state(text_of(member(state, "Status")));
  container.health =
      parse_health(text_of(member(member(state, "Health"), "Status"))).value_or(ContainerHealth::none);
  container.oom_killed = truth_of(member(state, "OOMKilled"));
  const std::int64_t pid = integer_of(member(state, "Pid"));
  container.pid = pid > 0 && pid <= std::numeric_limits<int>::max() ? static_cast<int>(pid) : 0;
  container.exit_code = integer_of(member(state, "ExitCode"));
  container.started_ms = parse_rfc3339_ms(text_of(member(state, "StartedAt"))).value_or(0);
  container.finished_ms = parse_rfc3339_ms(text_of(member(state, "FinishedAt"))).value_or(0);
  return container;
}

Result<RuntimeEvent> parse_event(std::string_view text) {
  Document document;
  if (const auto parsed = parse(text, "/events", document); !parsed) return parsed.error();
  const json::value* root = &document.root;
  const json::value* actor = member(root, "Actor");
  RuntimeEvent event;
  event.action = bounded(text_of(member(root, "Action")));
  if (event.action.empty()) event.action = bounded(text_of(member(root, "status")));  // before API 1.22
  event.id = bounded(text_of(member(actor, "ID")));
  if (event.id.empty()) event.id = bounded(text_of(member(root, "id")));
  event.name = bounded(text_of(member(member(actor, "Attributes"), "name")));
  event.time_ns = integer_of(member(root, "timeNano"));
  if (event.action.empty() || event.id.empty())
    return fail(Errc::parse, "/events: expected an object with Action and Actor.ID");
  return event;
}

namespace {

/// The digits [begin, begin + count) of `text` as a number.
std::optional<int> digits(std::string_view text, std::size_t begin, std::size_t count) {
  if (begin + count > text.size()) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(begin, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

/// The offset from UTC in milliseconds: "Z" or "+01:00".
std::optional<std::int64_t> zone_ms(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  const auto hours = digits(zone, 1, 2);
  const auto minutes = digits(zone, 4, 2);
  if (!hours || !minutes) return std::nullopt;
  const std::int64_t offset = (*hours * 60LL + *minutes) * 60'000;
  return zone[0] == '-' ? -offset : offset;
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339_ms(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() <= kShape.size() || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
      text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::string_view rest = text.substr(kShape.size());
  int milliseconds = 0;
  if (rest.front() == '.') {
    const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    for (std::size_t i = 1; i <= 3; ++i) milliseconds = milliseconds * 10 + (i < end ? rest[i] - '0' : 0);
    rest.remove_prefix(end);
  }
  const auto offset = zone_ms(rest);
  if (!offset) return std::nullopt;
  if (*year <= 1) return 0;
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return std::chrono::milliseconds(days).count() + ((*hour * 60LL + *minute) * 60 + *second) * 1000 +
         milliseconds - *offset;
}

}  // namespace vigil::agent
