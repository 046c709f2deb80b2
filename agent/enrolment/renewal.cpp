#include "agent/enrolment/renewal.h"

#include "common/log/log.h"
#include "common/text/human.h"
#include "common/tls/certificate.h"
#include "common/tls/kept_file.h"
#include "common/tls/signing.h"
#include "vigil/v1/identity.grpc.pb.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <charconv>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAnswerWithin{10'000};
constexpr milliseconds kFirstRetry{60'000};
constexpr milliseconds kLongestRetry{3'600'000};
constexpr int kMostDoublings = 6;

std::int64_t life_ms(const OwnIdentity& identity) {
  return std::max<std::int64_t>(identity.not_after_ms - identity.not_before_ms, 1);
}

/// From 0 to 1, always the same for a certificate.
double spread(const std::string& serial) {
  std::uint32_t number = 0;
  const std::size_t digits = std::min<std::size_t>(serial.size(), 8);
  std::from_chars(serial.data() + serial.size() - digits, serial.data() + serial.size(), number, 16);
  return static_cast<double>(number) / 4294967296.0;
}

/// Of a certificate that was made while the aggregator's clock was ahead nobody would take anything once that
/// is set right. A clock of this host that is a little behind is no reason to go without a new one.
Result<void> check_begun(const char* what, std::int64_t not_before_ms, std::int64_t now_ms) {
  constexpr std::int64_t kMostBehindMs = 86'400'000;
  if (now_ms >= not_before_ms - kMostBehindMs) return {};
  return fail(Errc::conflict, "the answer's {} is good only from {}: one of the clocks is wrong", what,
              format_rfc3339(not_before_ms));
}

}  // namespace

std::int64_t renewal_due_ms(const OwnIdentity& identity) {
  const std::int64_t life = life_ms(identity);
  return identity.not_after_ms - life / 3 +
         static_cast<std::int64_t>(spread(identity.serial) * static_cast<double>(life) / 12);
}

milliseconds renewal_retry(const OwnIdentity& identity, int failures) {
  const milliseconds doubled = kFirstRetry * (1 << std::clamp(failures - 1, 0, kMostDoublings));
  const milliseconds shortest(1000);
  return std::max(shortest, std::min({doubled, kLongestRetry, milliseconds(life_ms(identity) / 50)}));
}

std::string authority_from_now_on(const std::string& present, const std::string& offered) {
  // One, or others would be trusted with it that nothing vouches for.
  const auto all = tls::split_certificates(offered);
  if (!all || all->size() != 1) return present;
  // Each signed by the other's key: it is one key.
  if (!tls::check_signed_by(offered, present) || !tls::check_signed_by(present, offered)) return present;
  const auto before = tls::read_certificate(present);
  const auto after = tls::read_certificate(offered);
  return before && after && after->not_after_ms > before->not_after_ms ? offered : present;
}

Result<RenewedTls> ask_aggregator(const ChannelOptions& channel, const std::string& request_text) {
  const auto stub = v1::Identity::NewStub(make_channel(channel));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
  v1::RenewRequest request;
  request.set_request(request_text);
  v1::IssuedCertificate answer;
  const grpc::Status status = stub->Renew(&context, request, &answer);
  if (!status.ok()) return fail(Errc::unavailable, "{}: {}", channel.address, status.error_message());
  return RenewedTls{answer.certificate(), answer.authority()};
}

Result<void> Renewer::renew(const OwnIdentity& present, std::int64_t now_ms) {
  if (auto can = tls::try_file(identity_path(options_.folder)); !can)
    return fail(can.error().code, "{}; nothing was asked for", can.error().message);
  const auto key = tls::make_key();
  if (!key) return key.error();
  const auto request = tls::make_request(*key, present.name);
  if (!request) return request.error();
  const auto answer = options_.ask(present, *request);
  if (!answer) return answer.error();
  const std::string authority = authority_from_now_on(present.tls.ca, answer->authority);
  const auto next = make_identity(present.aggregator, {authority, answer->certificate, *key});
  if (!next) return fail(next.error().code, "the answer cannot be used: {}", next.error().message);
  if (next->name != present.name)
    return fail(Errc::permission, "the answer is for {}, this host is {}", next->name, present.name);
  if (auto begun = check_begun("certificate", next->not_before_ms, now_ms); !begun) return begun;
  const auto trusted = tls::read_certificate(authority);
  if (!trusted) return trusted.error();
  if (auto begun = check_begun("authority", trusted->not_before_ms, now_ms); !begun) return begun;
  if (auto stored = store_identity(options_.folder, *next); !stored) return stored;
  log::info("identity", "the certificate is renewed",
            {{"name", next->name}, {"until", format_rfc3339(next->not_after_ms)}});
  return {};
}

/// A clock that was ahead when it failed and was set back must not make it wait for that time to come.
bool Renewer::waits(std::int64_t now_ms) const {
  return failures_ > 0 && now_ms >= tried_ms_ && now_ms < next_try_ms_;
}

void Renewer::look() {
  const std::int64_t now_ms = options_.now_ms();
  const auto present = load_identity(options_.folder);
  if (present && present->serial != failed_) failures_ = 0;  // enrolled anew meanwhile, most likely
  if (waits(now_ms)) return;
  if (present && now_ms < renewal_due_ms(*present)) {
    failures_ = 0;
    return;
  }
  const Result<void> done = present ? renew(*present, now_ms) : present.error();
  if (done) {
    failures_ = 0;
    if (options_.on_renewed) options_.on_renewed();
    return;
  }
  ++failures_;
  failed_ = present ? present->serial : "";
  milliseconds wait = present ? renewal_retry(*present, failures_) : kLongestRetry;
  if (!present || now_ms < present->not_after_ms) {
    log::warn("identity", "the certificate is not renewed",
              {{"error", done.error()}, {"retry_ms", wait.count()}});
  } else {
    wait = std::max(wait, kFirstRetry);  // however short its life was, there is no hurry any more
    log::error("identity", "the certificate expired: this host has to enroll again",
               {{"name", present->name},
                {"expired", format_rfc3339(present->not_after_ms)},
                {"fix", enrol_anew(present->name)},
                {"error", done.error()},
                {"retry_ms", wait.count()}});
  }
  tried_ms_ = now_ms;
  next_try_ms_ = now_ms + wait.count();
}

Renewal::Renewal(RenewalOptions options, const OwnIdentity& present) : renewer_(std::move(options)) {
  const milliseconds often(life_ms(present) / 100);
  worker_.every(std::clamp(often, milliseconds(500), milliseconds(60'000)), [this] { renewer_.look(); });
  worker_.start();
}

}  // namespace vigil::agent
