// All collectors the agent has. A new one is a source file with a make function, a line in table.cpp, a test
// and a row of docs.
#pragma once

#include "agent/kernel_reader/protocol.h"
#include "agent/sampling/collector.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

/// What collectors may be told by configuration. Regular expressions are RE2; those that exclude are looked
/// for anywhere in a name, as node_exporter does (so they carry their own ^ and $), the one of systemd units
/// must match the whole name. Defaults are node_exporter's.
struct CollectorOptions {
  Roots roots;
  std::string filesystem_mount_exclude =
      "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
  std::string filesystem_type_exclude =
      "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|"
      "nsfs|overlay|proc|"
      "procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$";
  std::string diskstats_device_exclude = "^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$";
  std::string network_device_exclude = "^(lo|veth.*|br-.*|docker\\d*|cni.*|flannel.*|cali.*|virbr\\d+.*)$";
  std::string systemd_unit_include = "^$";  // besides failed units, which are always reported
  int top_processes = 10;                   // per ranking: CPU, memory, I/O
  std::string docker_socket = "auto";  // path; "auto" looks for Docker's and Podman's; "none" never connects
  std::string kernel_reader = kernel::kSocketPath;  // asked what this process is refused
};

struct CollectorEntry {
  std::string_view name;
  std::string_view summary;  // one line for --help and the docs
  std::unique_ptr<Collector> (*make)(const CollectorOptions& options);
};

std::span<const CollectorEntry> collector_table();

}  // namespace vigil::agent
