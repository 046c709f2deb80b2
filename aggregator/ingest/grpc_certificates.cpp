#include "aggregator/ingest/grpc_certificates.h"

#include "common/log/log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace vigil::aggregator {
namespace {

constexpr unsigned kGrpcLooksEverySeconds = 1;  // at memory; we look at the files

Result<void> write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "a copy of the certificates");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

GrpcCertificates::Copy::~Copy() {
  if (fd_ >= 0) ::close(fd_);
}

std::string GrpcCertificates::Copy::path() const {
  return fd_ < 0 ? "" : fmt::format("/proc/self/fd/{}", fd_);
}

Result<void> GrpcCertificates::Copy::replace(const std::string& text, std::int64_t version) {
  const int fresh = ::memfd_create("certificates", MFD_CLOEXEC);
  if (fresh < 0) return fail_errno(errno, "a copy of the certificates");
  const std::array<timespec, 2> stamps{timespec{version, 0}, timespec{version, 0}};
  Result<void> done = write_whole(fresh, text);
  if (done && (::fchmod(fresh, S_IRUSR) != 0 || ::futimens(fresh, stamps.data()) != 0 ||
               (fd_ >= 0 && ::dup3(fresh, fd_, O_CLOEXEC) < 0)))
    done = fail_errno(errno, "a copy of the certificates");
  if (done && fd_ < 0) {
    fd_ = fresh;
  } else {
    ::close(fresh);
  }
  return done;
}

Result<std::unique_ptr<GrpcCertificates>> GrpcCertificates::open(const GrpcTlsFiles& files,
                                                                 std::chrono::seconds look_every) {
  auto served = tls::read_served(files.cert, files.key, files.client_ca);
  if (!served) return served.error();
  std::unique_ptr<GrpcCertificates> opened(new GrpcCertificates(files, look_every));
  if (auto taken = opened->take(*served); !taken) return taken.error();
  opened->provider_ = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      opened->pair_.path(), opened->pair_.path(), opened->authorities_.path(), kGrpcLooksEverySeconds);
  return opened;
}

Result<void> GrpcCertificates::take(const tls::Served& served) {
  ++version_;
  if (!served.authorities.empty()) {
    if (auto done = authorities_.replace(served.authorities, version_); !done) return done;
  }
  if (auto done = pair_.replace(served.certificates + served.key, version_); !done) return done;
  digest_ = served.digest;
  return {};
}

void GrpcCertificates::look(std::chrono::steady_clock::time_point now) {
  if (now < next_look_) return;
  next_look_ = now + look_every_;
  const auto found = tls::read_served(files_.cert, files_.key, files_.client_ca);
  const bool is_new = found && found->digest != digest_;
  Result<void> taken;
  if (!found) {
    taken = found.error();
  } else if (is_new) {
    taken = take(*found);
  }
  if (!taken) {
    if (taken.error().message != trouble_)
      log::warn("grpc", "the certificate files cannot be used, those from before go on",
                {{"error", taken.error()}});
    trouble_ = taken.error().message;
    return;
  }
  trouble_.clear();
  if (is_new) log::info("grpc", "new certificate taken", {{"file", files_.cert}});
}

}  // namespace vigil::aggregator
