#include "agent/enrolment/enroll.h"

#include "agent/delivery/identity.h"
#include "agent/enrolment/asking.h"
#include "agent/enrolment/handshake.h"
#include "agent/enrolment/standing.h"
#include "common/clock.h"
#include "common/grpc/runtime.h"
#include "common/log/log.h"
#include "common/text/address.h"
#include "common/text/human.h"
#include "common/tls/certificate.h"
#include "common/tls/invitation_file.h"
#include "common/tls/token.h"
#include "vigil/v1/identity.grpc.pb.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <utility>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{15'000};
constexpr std::size_t kFingerprintDigits = 64;

Errc code_of_status(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::PERMISSION_DENIED:
      return Errc::permission;
    case grpc::StatusCode::FAILED_PRECONDITION:
      return Errc::conflict;
    case grpc::StatusCode::INVALID_ARGUMENT:
      return Errc::invalid_argument;
    default:
      return Errc::unavailable;
  }
}

Result<v1::IssuedCertificate> ask(const ChannelOptions& channel, const v1::EnrollRequest& request) {
  const auto stub = v1::Identity::NewStub(make_channel(channel));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::IssuedCertificate answer;
  const grpc::Status status = stub->Enroll(&context, request, &answer);
  if (!status.ok())
    return fail(code_of_status(status.error_code()), "{}: {}", channel.address, status.error_message());
  return answer;
}

/// The identity that is there, if it is good by its own account.
std::optional<OwnIdentity> good_identity(const EnrollOptions& options, std::int64_t now_ms) {
  if (!has_identity(options.folder)) return std::nullopt;
  auto present = load_identity(options.folder);
  if (!present || present->not_after_ms <= now_ms) return std::nullopt;  // good for nothing any more
  return std::move(*present);
}

/// Why it does not do, as if_needed takes it; "": it does, or nobody can say now.
std::string why_anew(const OwnIdentity& present, const EnrollOptions& options) {
  if (!options.name.empty() && options.name != present.name)
    return fmt::format("{} is that of {}", identity_path(options.folder), present.name);
  return why_refused({present.aggregator, Transport::tls, present.tls}, present.name);
}

/// What is to be said where nothing is to be done.
Result<std::optional<std::string>> enrolled_already(const EnrollOptions& options, std::int64_t now_ms) {
  if (options.again == Again::allowed) return std::optional<std::string>();
  const auto present = good_identity(options, now_ms);
  if (!present) return std::optional<std::string>();
  const std::string seen = fmt::format("enrolled already, as {} at {}, until {}", present->name,
                                       present->aggregator, format_rfc3339(present->not_after_ms));
  if (options.again == Again::refused)
    return fail(Errc::conflict, "this host is {}: --force makes another identity take its place", seen);
  const std::string why = why_anew(*present, options);
  if (why.empty()) return std::optional<std::string>(seen + '\n');
  fmt::print("enrolls anew: {}\n", why);
  return std::optional<std::string>();
}

}  // namespace

Result<std::string> parse_fingerprint(std::string_view text) {
  constexpr std::string_view kKind = "sha256:";
  std::string digits;
  if (text.substr(0, kKind.size()) == kKind) text.remove_prefix(kKind.size());
  for (const char c : text) {
    if (c == ':') continue;
    digits += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const bool is_hex = std::all_of(digits.begin(), digits.end(),
                                  [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!is_hex || digits.size() != kFingerprintDigits) {
    return fail(Errc::invalid_argument,
                "--fingerprint: must be sha256: and 64 hexadecimal digits, as vigil agent invite prints it");
  }
  return digits;
}

Result<std::string> prove(const std::vector<std::string>& shown, const std::string& fingerprint,
                          const std::string& host, std::int64_t now_ms) {
  std::string authority;
  std::string seen;
  for (const std::string& pem : shown) {
    const auto info = tls::read_certificate(pem);
    if (!info) return info.error();
    if (info->fingerprint == fingerprint) authority = pem;
    seen = info->fingerprint;
  }
  if (authority.empty()) {
    return fail(
        Errc::permission,
        "who answers is not the aggregator of the invitation: its authority's fingerprint is sha256:{}. "
        "Nothing was sent. Is the address right, or does somebody sit in between?",
        seen.empty() ? "(none)" : seen);
  }
  const std::string& own = shown.front();
  if (auto is_signed = tls::check_signed_by(own, authority); !is_signed) return is_signed.error();
  const auto info = tls::read_certificate(own);
  if (!info) return info.error();
  if (now_ms < info->not_before_ms || now_ms >= info->not_after_ms) {
    return fail(
        Errc::permission,
        "the aggregator's certificate is good from {} to {}, and this host's clock says {}: one of the "
        "clocks is wrong",
        format_rfc3339(info->not_before_ms), format_rfc3339(info->not_after_ms), format_rfc3339(now_ms));
  }
  const auto is_its = tls::is_for_host(own, host);
  if (!is_its) return is_its.error();
  if (*is_its) return authority;
  const auto hosts = tls::server_hosts(own);
  return fail(Errc::permission,
              "the aggregator's certificate is not for {}, but for {}: use one of these, or run there, "
              "with its data folder: vigil-aggregator init --data-dir /var/lib/vigil --name {}",
              host, fmt::join(hosts ? *hosts : std::vector<std::string>(), ", "), host);
}

Result<EnrollOptions> complete(EnrollOptions options) {
  if (!options.invitation.empty()) {
    const auto said = tls::read_invitation(options.invitation);
    if (!said) return said.error();
    if (options.aggregator.empty()) options.aggregator = said->aggregator;
    if (options.fingerprint.empty()) options.fingerprint = said->fingerprint;
    if (options.token.empty()) options.token = said->token;
  }
  for (const auto& [flag, value] :
       {std::pair<const char*, const std::string&>{"--aggregator", options.aggregator},
        {"--token", options.token},
        {"--fingerprint", options.fingerprint}}) {
    if (value.empty())
      return fail(Errc::invalid_argument,
                  "{} is missing: vigil agent invite prints the whole line, or with --out writes a file for "
                  "--invitation",
                  flag);
  }
  if (!tls::looks_like_token(options.token))
    return fail(
        Errc::invalid_argument,
        "--token: must be 40 hexadecimal digits, as vigil agent invite prints it; was it copied whole?");
  return options;
}

Result<std::string> enroll(const EnrollOptions& said, std::int64_t now_ms) {
  const auto already = enrolled_already(said, now_ms);
  if (!already) return already.error();
  if (*already) return **already;
  const auto completed = complete(said);
  if (!completed) return completed.error();
  const EnrollOptions& options = *completed;
  const auto address = parse_address(options.aggregator, kGrpcPort);
  if (!address) return fail(Errc::invalid_argument, "--aggregator: {}", address.error().message);
  const auto fingerprint = parse_fingerprint(options.fingerprint);
  if (!fingerprint) return fingerprint.error();
  const std::string name = options.name.empty() ? host_name() : options.name;
  const auto asking = keep_asking(options.folder, tls::digest_of(options.token + ' ' + name));
  if (!asking) return asking.error();
  const auto shown = shown_certificates(*address, kPatience);
  if (!shown) return shown.error();
  const auto authority = prove(*shown, *fingerprint, address->host, now_ms);
  if (!authority) return authority.error();

  v1::EnrollRequest request;
  request.set_token(options.token);
  request.set_request(asking->request);
  request.set_name(name);
  ChannelOptions channel;
  channel.address = address->to_string();
  channel.transport = Transport::tls;
  channel.tls.ca = *authority;
  const auto answer = ask(channel, request);
  if (!answer) return answer.error();
  const auto identity = make_identity(channel.address, {*authority, answer->certificate(), asking->key});
  if (!identity)
    return fail(identity.error().code, "the aggregator's answer cannot be used: {}",
                identity.error().message);
  if (auto stored = store_identity(options.folder, *identity); !stored) {
    return fail(stored.error().code,
                "{}; make room, then run the same line again within a day: the aggregator gives the same "
                "answer again. After that: vigil agent invite --name {} --replace",
                stored.error().message, identity->name);
  }
  forget_asking(options.folder);
  return fmt::format("enrolled as {} at {}, until {}; the agent renews it by itself\nstored in {}\n",
                     identity->name, identity->aggregator, format_rfc3339(identity->not_after_ms),
                     identity_path(options.folder));
}

int enroll_command(const EnrollOptions& options) {
  log::set_level(log::Level::error);  // what fails is said once, below
  prepare_grpc();
  const auto said = enroll(options, wall_ms());
  if (said) {
    fmt::print("{}", *said);
    if (!options.caution.empty()) fmt::print(stderr, "vigil-agent: warning: {}\n", options.caution);
    return 0;
  }
  fmt::print(stderr, "vigil-agent: {}\n", said.error().message);
  return said.error().code == Errc::invalid_argument ? 2 : 1;
}

}  // namespace vigil::agent
