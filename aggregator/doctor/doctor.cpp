#include "aggregator/doctor/doctor.h"

#include "aggregator/access/access_file.h"
#include "aggregator/doctor/authority_checks.h"
#include "aggregator/identity/authority_files.h"
#include "common/clock.h"
#include "common/doctor/peer.h"
#include "common/doctor/probe.h"
#include "common/doctor/secret_files.h"
#include "common/version.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace vigil::aggregator {
namespace {

using doctor::Findings;
using std::chrono::milliseconds;

constexpr milliseconds kDoctorPatience{2000};  // of a port of this machine

void append(Findings& findings, Findings more) {
  std::ranges::move(more, std::back_inserter(findings));
}

/// Where a client of this machine would connect: what listens everywhere listens on loopback, too.
Address near(Address address) {
  if (address.host.empty() || address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  return address;
}

bool speaks_grpc(const Address& address, bool is_tls) {
  using Reached = doctor::PeerFacts::Reached;
  doctor::PeerOptions peer;
  peer.address = near(address);
  peer.is_tls = is_tls;
  peer.patience = kDoctorPatience;
  const Reached reached = doctor::look_at_peer(peer).reached;
  // We trust nobody here and show nothing: that it speaks TLS is enough.
  return reached == Reached::speaks_grpc ||
         (is_tls && (reached == Reached::bad_peer || reached == Reached::refused_us));
}

/// An authority or a certificate that came while it ran.
doctor::Finding before_its_certificate(const std::string& about) {
  return doctor::problem("ports", about, "the daemon listens in plain text, and has a certificate since",
                         "systemctl restart vigil-aggregator");
}

/// `has_certificate`: the gRPC port speaks TLS, and HTTP's may.
Findings look_at_ports(const AggregatorConfig& config, bool has_certificate) {
  Findings findings;
  const auto grpc = parse_address(config.grpc_listen, kGrpcPort);
  const auto http = parse_address(config.http_listen, kHttpPort);
  if (grpc && grpc->port != 0) {
    auto facts = doctor::look_at_port("grpc_listen", *grpc);
    facts.is_ours = facts.is_taken && speaks_grpc(*grpc, has_certificate);
    const bool is_from_before =
        facts.is_taken && !facts.is_ours && has_certificate && speaks_grpc(*grpc, false);
    findings.push_back(is_from_before ? before_its_certificate(facts.about) : check_port(facts));
  }
  if (http && http->port != 0) {
    auto facts = doctor::look_at_port("http_listen", *http);
    const auto spoken =
        http_speaks_tls(config, has_certificate) ? doctor::Spoken::tls : doctor::Spoken::plain;
    const std::string answer =
        facts.is_taken ? doctor::ask_http(near(*http), "/readyz", spoken, kDoctorPatience) : "";
    facts.is_ours = answer.starts_with("HTTP/1.");
    findings.push_back(check_port(facts));
    if (facts.is_ours) findings.push_back(check_ready(facts.about, answer));
  }
  return findings;
}

/// `folder`: of the data.
Findings look_at_secrets(const Invocation& invocation, const std::string& folder, const std::string& user) {
  const AggregatorConfig& config = invocation.config;
  const std::string identity = identity::folder_in(folder);
  const std::string access = folder + '/' + access::kAccessFile;
  auto named = config::secret_files_of({invocation.config_path, config.notifications.alertmanager_file});
  named.push_back(config.tls.key);
  auto files = doctor::look_at_secret_files(
      {access, access + "-wal", access + "-shm", identity::database_path(identity),
       identity::key_path(identity), identity::server_path(identity)},
      doctor::Keeper::service, user);
  std::ranges::move(doctor::look_at_secret_files(named, doctor::Keeper::administrator, user),
                    std::back_inserter(files));
  return check_secret_files(files, user);
}

Findings look(const Invocation& invocation) {
  const AggregatorConfig& config = invocation.config;
  const doctor::UnitFacts unit = doctor::look_at_unit("vigil-aggregator.service");
  std::string folder = data_directory(config);
  if (folder == "vigil-data" && !unit.state_directory.empty()) folder = "/var/lib/" + unit.state_directory;
  // What open files are for besides agents: connections of people, and files of the history.
  const std::uint64_t wanted_files =
      std::uint64_t{config.ingest.max_agents} + config.ingest.max_agents / 4 + 1024;
  Findings findings =
      doctor::check_configuration({invocation.config_path, invocation.trouble, invocation.warnings});
  for (const auto& open : open_secrets(invocation))
    findings.push_back(doctor::warning("permissions", open.path, open.seen, open.fix));
  findings.push_back(doctor::check_unit(unit));
  const bool has_authority = config.tls.cert.empty() && identity::has_authority(identity::folder_in(folder));
  append(findings, look_at_ports(config, has_authority || !config.tls.cert.empty()));
  append(findings, check_exposure(config, has_authority));
  if (has_authority)
    append(findings, check_authority(look_at_authority(identity::folder_in(folder)), wall_ms()));
  append(findings, doctor::look_at_tls_files({{"tls.cert", config.tls.cert, doctor::Key::no},
                                              {"tls.key", config.tls.key, doctor::Key::yes},
                                              {"tls.client_ca", config.tls.client_ca, doctor::Key::no}},
                                             wall_ms()));
  append(findings, doctor::check_folder(doctor::look_at_folder("data_dir", folder), doctor::Holds::databases,
                                        unit.user));
  append(findings, look_at_secrets(invocation, folder, unit.user));
  findings.push_back(doctor::check_clock(doctor::look_at_clock()));
  findings.push_back(doctor::check_open_files(doctor::look_at_open_files(unit), wanted_files, 1024));
  findings.push_back(doctor::ok("kernel", "release", doctor::kernel_release()));
  findings.push_back(doctor::ok("versions", "vigil-aggregator", std::string(kVersion)));
  return findings;
}

}  // namespace

doctor::Finding check_ready(const std::string& about, const std::string& answer) {
  if (answer.starts_with("HTTP/1.1 200")) return doctor::ok("service", about, "is ready");
  const std::size_t body = answer.find("\r\n\r\n");
  return doctor::problem("service", about,
                         "is not ready: " + (body == std::string::npos ? answer : answer.substr(body + 4)),
                         "vigil status, and the log: journalctl -u vigil-aggregator");
}

doctor::Findings check_exposure(const AggregatorConfig& config, bool has_authority) {
  doctor::Findings findings;
  const auto grpc = parse_address(config.grpc_listen, kGrpcPort);
  const auto http = parse_address(config.http_listen, kHttpPort);
  if (grpc && !grpc->is_loopback() && config.tls.cert.empty() && !has_authority)
    findings.push_back(doctor::problem(
        "ports", "grpc_listen " + grpc->to_string(), "listens beyond this machine in plain text",
        "vigil-aggregator init, or tls.cert and tls.key, or 127.0.0.1 and a tunnel"));
  const bool has_certificate = has_authority || !config.tls.cert.empty();
  if (http && !http->is_loopback() && !http_speaks_tls(config, has_certificate))
    findings.push_back(
        doctor::warning("ports", "http_listen " + http->to_string(),
                        "listens beyond this machine in plain text: tokens and passwords are seen on the way",
                        "http.tls: auto, with vigil-aggregator init, or tls.cert and tls.key; or 127.0.0.1"));
  return findings;
}

int run_doctor(const Invocation& invocation) {
  const doctor::Findings findings = look(invocation);
  fmt::print("{}", invocation.json ? doctor::to_json(findings) : doctor::to_table(findings));
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  return written && doctor::is_well(findings) ? 0 : 1;
}

}  // namespace vigil::aggregator
