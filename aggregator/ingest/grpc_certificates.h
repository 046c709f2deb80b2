// The certificate that the gRPC port shows, from files that change. gRPC can watch files itself, and takes
// whatever it finds there: between a new key and its certificate it would let nobody in. So what it watches
// are copies in memory, which change only together and once they fit.
#pragma once

#include "common/error.h"
#include "common/tls/served.h"

#include <grpcpp/security/tls_certificate_provider.h>

#include <chrono>
#include <memory>
#include <string>

namespace vigil::aggregator {

/// Files in PEM. They are read again when they change: new connections get what is there then.
struct GrpcTlsFiles {
  std::string cert;       // with those of its authorities behind it
  std::string key;        // may be the same file
  std::string client_ca;  // who signs the certificates of those who connect; empty: nobody is asked for one
};

/// Outlives the server. One thread at a time.
class GrpcCertificates {
 public:
  /// Errors name the file.
  static Result<std::unique_ptr<GrpcCertificates>> open(const GrpcTlsFiles& files,
                                                        std::chrono::seconds look_every);
  GrpcCertificates(const GrpcCertificates&) = delete;
  GrpcCertificates& operator=(const GrpcCertificates&) = delete;

  /// For the server's credentials.
  std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider() const { return provider_; }

  /// Takes files that changed, when `look_every` has passed; gRPC sees them a second later. Those that cannot
  /// be used are said in the log once, and the ones before go on.
  void look(std::chrono::steady_clock::time_point now);

 private:
  /// A file without a name, whose content is replaced in one step.
  class Copy {
   public:
    Copy() = default;
    ~Copy();
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;
    /// `version` is another one each time: gRPC compares times of change, in seconds, around its reading.
    Result<void> replace(const std::string& text, std::int64_t version);
    std::string path() const;

   private:
    int fd_ = -1;
  };

  GrpcCertificates(const GrpcTlsFiles& files, std::chrono::seconds look_every)
      : files_(files), look_every_(look_every) {}
  Result<void> take(const tls::Served& served);

  const GrpcTlsFiles files_;
  const std::chrono::seconds look_every_;
  std::chrono::steady_clock::time_point next_look_{};
  std::int64_t version_ = 0;
  std::string digest_;   // of what is shown
  std::string trouble_;  // with the files as they are now
  Copy pair_;            // the certificates and their key
  Copy authorities_;
  std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider_;  // reads the copies
};

}  // namespace vigil::aggregator
