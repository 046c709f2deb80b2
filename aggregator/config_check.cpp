#include "aggregator/config.h"
#include "aggregator/http/cors.h"
#include "common/text/html.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

namespace vigil::aggregator {
namespace {

using config::Problems;

void check_listen(const AggregatorConfig& config, std::string_view key, Problems& problems) {
  const std::string& text = key == "grpc_listen" ? config.grpc_listen : config.http_listen;
  if (const auto address = parse_address(text, 1); !address) {
    problems.add(config.at.wrong(key, address.error().message));
  } else if (text.find(':') == std::string::npos) {
    problems.add(config.at.wrong(key, fmt::format("'{}' lacks a port; write HOST:PORT, for example {}", text,
                                                  key == "grpc_listen" ? kGrpcAddress : kHttpAddress)));
  }
}

void check_tls(const AggregatorConfig& config, Problems& problems) {
  const TlsConfig& tls = config.tls;
  if (tls.cert.empty() != tls.key.empty()) {
    problems.add(config.at.wrong(tls.cert.empty() ? "tls.key" : "tls.cert",
                                 "cert and key belong together: set both or neither"));
  }
  if (!tls.client_ca.empty() && tls.cert.empty())
    problems.add(
        config.at.wrong("tls.client_ca", "has no effect without tls.cert and tls.key; set them, too"));
  const auto look = [&](std::string_view key, const std::string& path, auto read) {
    if (path.empty()) return;
    if (const auto text = read(path); !text) problems.add(config.at.wrong(key, text.error().message));
  };
  look("tls.cert", tls.cert, config::read_certificates);
  look("tls.key", tls.key, config::read_private_key);
  look("tls.client_ca", tls.client_ca, config::read_certificates);
}

/// /proc and its kin look writable to root, and keep nothing.
bool keeps_files(const std::filesystem::path& path) {
  struct statfs system {};
  if (::statfs(path.c_str(), &system) != 0) return true;  // the first write will say more
  constexpr std::array kKernels = {PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                                   DEBUGFS_MAGIC};
  return std::find(kKernels.begin(), kKernels.end(), system.f_type) == kKernels.end();
}

/// Whether the folder can be written, or made where it is not there yet. Makes nothing.
void check_data_dir(const AggregatorConfig& config, Problems& problems) {
  std::error_code error;
  const std::string wanted = data_directory(config);
  std::filesystem::path nearest = std::filesystem::absolute(wanted, error).lexically_normal();
  while (!std::filesystem::exists(nearest, error) && nearest.has_relative_path())
    nearest = nearest.parent_path();
  const bool is_there = std::filesystem::is_directory(nearest, error);
  const bool keeps = keeps_files(nearest);
  if (is_there && keeps && ::access(nearest.c_str(), W_OK | X_OK) == 0) return;
  const std::string why = !is_there ? nearest.string() + " is no folder"
                          : !keeps  ? nearest.string() + " belongs to the kernel and keeps no files"
                                    : fail_errno(errno, nearest.string()).message;
  problems.add(config.at.wrong(
      "data_dir",
      fmt::format("{} cannot be used: {}; name a folder this user may write, or make it for this user",
                  wanted, why)));
}

void check_external_url(const AggregatorConfig& config, Problems& problems) {
  if (config.external_url.empty() || is_web_link(config.external_url)) return;
  problems.add(config.at.wrong(
      "external_url", fmt::format("'{}' is no web address; write for example https://vigil.example.org",
                                  config.external_url)));
}

void check_http(const AggregatorConfig& config, Problems& problems) {
  if (const auto cors = http::Cors::create(config.http.cors_origin); !cors)
    problems.add(config.at.wrong("http.cors_origin", cors.error().message));
}

}  // namespace

Result<std::vector<std::string>> check(const AggregatorConfig& config) {
  Problems problems;
  check_listen(config, "grpc_listen", problems);
  check_listen(config, "http_listen", problems);
  check_http(config, problems);
  check_tls(config, problems);
  check_data_dir(config, problems);
  check_external_url(config, problems);
  auto warnings = alerts::check(alerting_options(config));
  problems.add(warnings);
  if (const auto fine = problems.result(); !fine) return fine.error();
  return warnings;
}

}  // namespace vigil::aggregator
