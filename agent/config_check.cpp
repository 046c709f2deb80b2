#include "agent/actions/allow_list.h"
#include "agent/config.h"
#include "common/text/human.h"
#include "common/text/utf8.h"
#include "common/tls/certificate.h"
#include "common/wire/names.h"

#include <filesystem>

namespace vigil::agent {
namespace {

using config::Problems;
using std::chrono::milliseconds;

void check_labels(const AgentConfig& config, Problems& problems) {
  if (config.labels.size() > kMaxHostLabels)
    problems.add(config.at.wrong("labels", fmt::format("at most {} are possible", kMaxHostLabels)));
  for (const auto& [name, value] : config.labels) {
    const std::string key = "labels." + name;
    if (!wire::valid_label_name(name) || name == "instance" || name == "job") {
      problems.add(config.at.wrong(
          key,
          fmt::format("{} cannot be a label: use letters, digits and _, not instance or job, no __ in front",
                      name)));
    } else if (value.empty() || value.size() > wire::kMaxValueBytes || !is_utf8(value)) {
      problems.add(config.at.wrong(key, fmt::format("must be 1 to {} bytes of UTF-8", wire::kMaxValueBytes)));
    }
  }
}

/// A collector runs on a beat: an interval between two beats could only be rounded behind its author's back.
void check_intervals(const AgentConfig& config, Problems& problems) {
  if (!is_sensible(config.interval)) return problems.add(config.at.wrong("interval", kSensibleInterval));
  for (const auto& [name, settings] : config.collectors) {
    if (!settings.interval || *settings.interval % config.interval == milliseconds(0)) continue;
    const milliseconds below = *settings.interval / config.interval * config.interval;
    const std::string above = format_duration(below + config.interval);
    problems.add(config.at.wrong(
        fmt::format("collectors.{}.interval", name),
        fmt::format("{} is no multiple of the agent's interval, {}; write {}",
                    format_duration(*settings.interval), format_duration(config.interval),
                    below.count() == 0 ? above : fmt::format("{} or {}", format_duration(below), above))));
  }
}

/// The text of one of the TLS files, "" when none is configured.
std::string read_tls(const AgentConfig& config, std::string_view key, Problems& problems) {
  const std::string& path = key == "ca" ? config.tls.ca : key == "cert" ? config.tls.cert : config.tls.key;
  if (path.empty()) return {};
  auto text = key == "key" ? config::read_private_key(path) : config::read_certificates(path);
  if (text) return std::move(*text);
  problems.add(config.at.wrong(fmt::format("tls.{}", key), text.error().message));
  return {};
}

/// Files without tls.enabled would look like encryption and be none.
void check_tls_is_on(const AgentConfig& config, Problems& problems) {
  const std::pair<std::string_view, bool> written[] = {
      {"ca", !config.tls.ca.empty()}, {"cert", !config.tls.cert.empty()}, {"key", !config.tls.key.empty()}};
  for (const auto& [key, is_written] : written) {
    if (!is_written) continue;
    problems.add(config.at.wrong(fmt::format("tls.{}", key),
                                 "has no effect while tls.enabled is not true, and the stream would be plain "
                                 "text; set tls: {enabled: true}"));
  }
}

TlsMaterial tls_material(const AgentConfig& config, Problems& problems) {
  const TlsSettings& files = config.tls;
  if (files.cert.empty() != files.key.empty()) {
    problems.add(config.at.wrong(files.cert.empty() ? "tls.key" : "tls.cert",
                                 "cert and key belong together: set both or neither"));
  }
  TlsMaterial material{read_tls(config, "ca", problems), read_tls(config, "cert", problems),
                       read_tls(config, "key", problems)};
  if (material.cert.empty() || material.key.empty()) return material;
  if (const auto pair = tls::check_pair(material.cert, material.key); !pair)
    problems.add(config.at.wrong("tls.key",
                                 fmt::format("{} and {}: {}", files.cert, files.key, pair.error().message)));
  return material;
}

}  // namespace

Result<void> check(const AgentConfig& config) {
  Problems problems;
  if (!config.name.empty() && !wire::valid_host_name(config.name)) {
    problems.add(config.at.wrong("name", fmt::format("'{}' must be 1 to {} letters, digits and . _ : -",
                                                     config.name, wire::kMaxHostBytes)));
  }
  check_intervals(config, problems);
  check_labels(config, problems);
  problems.add(channel_options(config));
  return problems.result();
}

namespace {

void warn_of_socket(const AgentConfig& config, std::vector<std::string>& out) {
  std::string socket = config.options.docker_socket;
  if (socket.starts_with("unix://")) socket = socket.substr(7);
  std::error_code error;
  if (socket.empty() || socket == "auto" || socket == "none" || std::filesystem::exists(socket, error))
    return;
  out.push_back(config.at.say(
      "docker_socket",
      fmt::format("{} is not there; until it is, containers are seen by their cgroups only", socket)));
}

/// The list is read each time an action is asked for: what is wrong with it today may be right by then.
void warn_of_actions(const AgentConfig& config, std::vector<std::string>& out) {
  if (config.actions_file.empty()) return;
  const auto list = read_allow_list(config.actions_file);
  if (!list) {
    out.push_back(config.at.say("actions_file", "no action is run: " + list.error().message));
    return;
  }
  for (const auto& [name, action] : list->actions) {
    if (const std::string fault = fault_of(action); !fault.empty())
      out.push_back(config.at.say("actions_file", fmt::format("{} is not run: {}", name, fault)));
  }
}

}  // namespace

std::string checked(const AgentConfig& config) {
  std::vector<std::string> warnings;
  warn_of_socket(config, warnings);
  warn_of_actions(config, warnings);
  std::string out;
  for (const std::string& warning : warnings) out += fmt::format("warning: {}\n", warning);
  return out + "configuration is valid\n";
}

Result<void> check_spool(const AgentConfig& config) {
  const std::string folder = spool_directory(config);
  if (folder.empty()) return {};
  if (const auto fine = config::check_folder(folder); !fine)
    return config.at.wrong("spool.dir", fine.error().message);
  return {};
}

Result<void> check_roots(const AgentConfig& config) {
  std::error_code error;
  const std::string& procfs = config.options.roots.procfs;
  if (std::filesystem::is_directory(procfs, error)) return {};
  return fail(
      Errc::not_found, "{}",
      config.at.say("paths.procfs", fmt::format("{} is no directory; mount the host's /proc there, or "
                                                "name where it is",
                                                procfs)));
}

namespace {

/// An enrolled host's. The address of the configuration wins, unless it is the one nobody set.
Result<ChannelOptions> enrolled_channel(const AgentConfig& config, const OwnIdentity& identity) {
  if (!config.name.empty() && config.name != identity.name) {
    return config.at.wrong("name",
                           fmt::format("this host is enrolled as {}, not as {}: leave the name out, or "
                                       "enroll it again",
                                       identity.name, config.name));
  }
  const bool is_set = config.aggregator != kGrpcAddress;
  const auto address = parse_address(is_set ? config.aggregator : identity.aggregator, kGrpcPort);
  if (!address) return config.at.wrong("aggregator", address.error().message);
  return ChannelOptions{address->to_string(), Transport::tls, identity.tls};
}

}  // namespace

Result<ChannelOptions> channel_options(const AgentConfig& config) {
  const auto identity = stored_identity(config);
  if (!identity) return config.at.wrong("tls.dir", identity.error().message);
  if (*identity) return enrolled_channel(config, **identity);
  const auto address = parse_address(config.aggregator, kGrpcPort);
  if (!address) return config.at.wrong("aggregator", address.error().message);
  Problems problems;
  if (address->port == 0)
    problems.add(config.at.wrong("aggregator", fmt::format("{} has no port", config.aggregator)));
  ChannelOptions options{address->to_string(), Transport::plain, {}};
  if (config.tls.enabled) {
    options.transport = Transport::tls;
    options.tls = tls_material(config, problems);
  } else {
    check_tls_is_on(config, problems);
    if (!config.tls.plaintext && !address->is_loopback()) {
      problems.add(
          config.at.wrong("aggregator", fmt::format("{} is another machine, and this host is not enrolled: "
                                                    "run there `vigil agent invite --name NAME` and "
                                                    "the line it prints here; or set tls.enabled with an "
                                                    "authority of your own, or tls.plaintext to "
                                                    "send unencrypted",
                                                    config.aggregator)));
    }
  }
  if (const auto fine = problems.result(); !fine) return fine.error();
  return options;
}

}  // namespace vigil::agent
