// Renews this host's certificate while the old one is good: with a new key, over a connection that shows the
// present one.
#pragma once

#include "agent/enrolment/identity_file.h"
#include "common/error.h"
#include "common/threads/worker.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace vigil::agent {

/// When a certificate is to be renewed: about a third of its life is left. The serial number, which is
/// random, spreads a fleet that was enrolled in one hour over a twelfth of that life.
std::int64_t renewal_due_ms(const OwnIdentity& identity);

/// How long to wait after so many failures in a row, the first one being 1: from a minute to an hour, and
/// never more than a fiftieth of the certificate's life.
std::chrono::milliseconds renewal_retry(const OwnIdentity& identity, int failures);

/// What an aggregator answers to a request.
struct RenewedTls {
  std::string certificate;
  std::string authority;  // its authority's certificate, which is renewed too, once in some years
};

/// The authority's certificate from now on: the one that came with an answer where it has the same key and
/// ends later. Nothing vouches for any other: the present one stays.
std::string authority_from_now_on(const std::string& present, const std::string& offered);

struct RenewalOptions {
  std::string folder;  // of identity.pem
  std::function<std::int64_t()> now_ms;
  /// Asks the aggregator: a request for a certificate in, the certificate out.
  std::function<Result<RenewedTls>(const OwnIdentity& present, const std::string& request)> ask;
  /// The file has a new identity. On the renewal's thread.
  std::function<void()> on_renewed;
};

/// Renewer::ask by gRPC: Identity.Renew at the address where the agent delivers.
Result<RenewedTls> ask_aggregator(const ChannelOptions& channel, const std::string& request);

/// The rules, without a thread: look() is called again and again.
class Renewer {
 public:
  explicit Renewer(RenewalOptions options) : options_(std::move(options)) {}

  /// Reads the file and renews what is due, where the new one can be stored: an aggregator gives a host so
  /// many and no more. What fails is logged and tried again later.
  void look();

 private:
  Result<void> renew(const OwnIdentity& present, std::int64_t now_ms);
  bool waits(std::int64_t now_ms) const;

  const RenewalOptions options_;
  std::string failed_;  // the serial of the certificate that failures_ are about; "": none could be read
  int failures_ = 0;    // in a row
  std::int64_t tried_ms_ = 0;
  std::int64_t next_try_ms_ = 0;
};

/// A Renewer that looks by itself, for as long as it lives.
class Renewal {
 public:
  Renewal(RenewalOptions options, const OwnIdentity& present);

 private:
  Renewer renewer_;
  Worker worker_{"renewal"};
};

}  // namespace vigil::agent
