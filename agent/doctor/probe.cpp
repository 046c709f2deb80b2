#include "agent/doctor/probe.h"

#include "agent/containers/cgroup_paths.h"
#include "agent/containers/sources.h"
#include "agent/containers/unix_http.h"
#include "common/clock.h"
#include "common/doctor/probe.h"

#include <fcntl.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace vigil::agent {
namespace {

constexpr std::chrono::milliseconds kPatience{5000};

/// The kernel may list a file and refuse to read it: what counts is a byte of it.
bool can_read(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char byte = 0;
  const bool got = ::read(fd, &byte, 1) == 1;
  ::close(fd);
  return got;
}

std::string cgroups_of(const CgroupMounts& mounts) {
  const bool has_v1 =
      std::ranges::any_of(mounts.v1, [](const CgroupMount& mount) { return !mount.directory.empty(); });
  if (mounts.unified.directory.empty()) return has_v1 ? "version 1" : "";
  return has_v1 ? "hybrid" : "version 2";
}

/// "Docker Engine - Community 24.0.7, API 1.43" of what /version says.
std::string version_of(const std::string& text) {
  boost::system::error_code error;
  const auto document = boost::json::parse(text, error);
  if (error || !document.is_object()) return "answers";
  const auto field = [&](const char* name) {
    const auto* found = document.get_object().if_contains(name);
    if (found == nullptr || !found->is_string()) return std::string("?");
    return std::string(found->get_string().data(), found->get_string().size());
  };
  return fmt::format("version {}, API {}", field("Version"), field("ApiVersion"));
}

/// By number: the agent knows nothing else of Fleet's messages, and is spared them.
AggregatorFacts facts_of(const std::string& status, std::int64_t asked_ms, std::int64_t answered_ms) {
  constexpr int kVersion = 1;  // of v1.Status
  constexpr int kNowMs = 3;
  AggregatorFacts facts;
  google::protobuf::UnknownFieldSet fields;
  if (!fields.ParseFromString(status)) {
    facts.trouble = "its answer cannot be read";
    return facts;
  }
  std::int64_t now_ms = 0;
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto& field = fields.field(i);
    using Field = google::protobuf::UnknownField;
    if (field.number() == kVersion && field.type() == Field::TYPE_LENGTH_DELIMITED)
      facts.version = field.length_delimited();
    if (field.number() == kNowMs && field.type() == Field::TYPE_VARINT)
      now_ms = static_cast<std::int64_t>(field.varint());
  }
  facts.round_trip = std::chrono::milliseconds(answered_ms - asked_ms);
  facts.clock_offset = std::chrono::milliseconds(now_ms - (asked_ms + answered_ms) / 2);
  return facts;
}

}  // namespace

KernelFacts look_at_kernel(const Roots& roots) {
  KernelFacts facts;
  facts.release = doctor::kernel_release();
  facts.procfs = roots.procfs;
  facts.has_pressure = can_read(roots.procfs + "/pressure/cpu");
  facts.cgroups = cgroups_of(find_cgroup_mounts(roots));
  facts.sees_processes = can_read(roots.procfs + "/1/stat");
  facts.reads_their_io = can_read(roots.procfs + "/1/io");
  return facts;
}

std::vector<RuntimeFacts> look_at_runtimes(const AgentConfig& config, const std::string& service_user) {
  std::vector<RuntimeFacts> found;
  const StopSignal never;
  for (const WatcherOptions& socket : sockets_to_watch(config.options.docker_socket, config.options.roots)) {
    RuntimeFacts facts;
    facts.socket = socket.socket_path;
    facts.is_configured = socket.configured;
    facts.is_podman = socket.runtime == "podman";
    facts.is_reader =
        socket.socket_path.ends_with(kDockerReader) || socket.socket_path.ends_with(kPodmanReader);
    if (!facts.is_reader && ::geteuid() == 0 && service_user != "root") facts.service_user = service_user;
    const HttpPeer peer{socket.socket_path, {}, &never};
    const auto text = http_get(peer, "/version");
    if (text) {
      facts.version = version_of(*text);
    } else if (http_get(peer, "/_ping")) {  // a proxy may let nothing else through
      facts.version = "answers";
    } else {
      facts.trouble = text.error();
    }
    found.push_back(std::move(facts));
  }
  return found;
}

AggregatorFacts ask_aggregator(const ChannelOptions& channel) {
  grpc::GenericStub stub(make_channel(channel));
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const std::int64_t asked_ms = wall_ms();
  const grpc::Slice nothing("");  // an empty message, not the lack of one
  const auto call =
      stub.PrepareUnaryCall(&context, "/vigil.v1.Fleet/GetStatus", grpc::ByteBuffer(&nothing, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, &queue);
  void* tag = nullptr;
  bool is_fine = false;
  queue.Next(&tag, &is_fine);
  const std::int64_t answered_ms = wall_ms();
  queue.Shutdown();
  while (queue.Next(&tag, &is_fine)) {  // nothing is left; it wants to be asked
  }
  AggregatorFacts facts;
  if (!status.ok()) {
    facts.trouble = status.error_message();
    return facts;
  }
  std::vector<grpc::Slice> slices;
  answer.Dump(&slices);
  std::string bytes;
  for (const grpc::Slice& slice : slices)
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return facts_of(bytes, asked_ms, answered_ms);
}

}  // namespace vigil::agent
