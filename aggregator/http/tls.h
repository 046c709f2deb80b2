// TLS of the HTTP port: 1.3 or nothing, with certificates that are read again when their files change.
#pragma once

#include "aggregator/access/gatekeeper.h"
#include "common/error.h"

#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace vigil::aggregator::http {

/// Files in PEM.
struct TlsFiles {
  std::string cert;       // with those of its authorities behind it
  std::string key;        // may be the same file
  std::string client_ca;  // who signs certificates of clients: who shows one is known by it, nobody need to.
                          // Empty: nobody is asked for one.
  std::chrono::seconds look_every{5};
};

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

class TlsContexts {
 public:
  /// Errors name the file.
  static Result<std::unique_ptr<TlsContexts>> open(TlsFiles files);

  /// For a new connection, which keeps it. Any thread.
  TlsContext current() const;
  /// Takes files that changed. Those that cannot be used are said in the log once, and the ones before go on.
  /// One thread at a time.
  void look();
  std::chrono::seconds look_every() const { return files_.look_every; }

 private:
  struct Read {
    TlsContext context;
    std::string digest;  // of the files
  };
  explicit TlsContexts(TlsFiles files) : files_(std::move(files)) {}
  static Result<Read> read(const TlsFiles& files, const std::string& known_digest);

  const TlsFiles files_;
  std::string digest_;   // of the files as they were read last
  std::string trouble_;  // with the files as they are now
  mutable std::mutex mutex_;
  TlsContext current_;  // protected by mutex_
};

/// What a client showed at the handshake, which has verified it.
struct ShownCertificate {
  std::string pem;
  access::CertificateNames names;
};
/// Nothing: it showed none.
std::optional<ShownCertificate> certificate_of(SSL* connection);

}  // namespace vigil::aggregator::http
