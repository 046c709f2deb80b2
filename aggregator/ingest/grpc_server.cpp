#include "aggregator/ingest/grpc_server.h"

#include "aggregator/access/call_guard.h"
#include "aggregator/access/rpc_needs.h"
#include "common/log/log.h"
#include "vigil/v1/fleet.grpc.pb.h"
#include "vigil/v1/identity.grpc.pb.h"
#include "vigil/v1/ingest.grpc.pb.h"
#include "vigil/v1/query.grpc.pb.h"
#include "vigil/v1/store.grpc.pb.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <memory>

namespace vigil::aggregator {
namespace {

void set_limits(grpc::ServerBuilder& builder, const GrpcServerOptions& options) {
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  // Bandwidth probing sends a PING for each message: half of all packets at one message a second.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // To begin with: a connection's buffer follows what it is sent, and most messages have some hundred bytes.
  builder.AddChannelArgument(GRPC_ARG_TCP_READ_CHUNK_SIZE, 1024);
  // What nobody asks for is memory of each stream, and work for each message: statistics for channelz,
  // compressed messages (rows are packed already, and a bomb cannot be sent), and deadlines, which clients
  // watch themselves.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 0);
  // Both ends ping; neither counts the other's pings as abuse. A pulled cable is seen after 30 s instead of
  // 15 min.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             16);  // of one connection: an agent needs one, the CLI a few
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8192);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             60'000);  // without a call: each is a descriptor, and agents need theirs
  grpc::ResourceQuota quota("vigil");
  quota.Resize(options.memory_bytes);
  builder.SetResourceQuota(quota);
  // Only reflection is synchronous.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

grpc_ssl_client_certificate_request_type request_for(ClientCertificate client) {
  switch (client) {
    case ClientCertificate::not_asked:
      break;
    case ClientCertificate::asked:
      return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    case ClientCertificate::required:
      return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
}

std::shared_ptr<grpc::ServerCredentials> credentials(const GrpcServerOptions& options,
                                                     const GrpcCertificates* certificates, GrpcDoor& door) {
  if (certificates == nullptr && options.gatekeeper == nullptr) return grpc::InsecureServerCredentials();
  if (certificates == nullptr) {
    const auto place = options.listen.is_loopback() ? access::Place::loopback : access::Place::away;
    return access::plain_credentials(*options.gatekeeper, place, &door);
  }
  const GrpcTls& tls = *options.tls;
  grpc::experimental::TlsServerCredentialsOptions ssl(certificates->provider());
  ssl.watch_identity_key_cert_pairs();
  if (!tls.files.client_ca.empty()) ssl.watch_root_certs();
  ssl.set_cert_request_type(request_for(tls.client));
  auto made = grpc::experimental::TlsServerCredentials(ssl);
  if (options.gatekeeper != nullptr) access::guard(*made, *options.gatekeeper, options.may_call, &door);
  return made;
}

/// Nobody but us may open it, at no instant.
class PrivateFiles {
 public:
  PrivateFiles() : before_(::umask(0077)) {}
  ~PrivateFiles() { ::umask(before_); }
  PrivateFiles(const PrivateFiles&) = delete;
  PrivateFiles& operator=(const PrivateFiles&) = delete;

 private:
  const mode_t before_;
};

void add_socket(grpc::ServerBuilder& builder, const GrpcServerOptions& options) {
  if (options.socket.empty() || options.gatekeeper == nullptr) return;
  if (options.socket.size() >= sizeof(sockaddr_un{}.sun_path)) {
    log::warn("grpc", "the data folder's path is too long for a socket in it: there is none",
              {{"path", options.socket}});
    return;
  }
  builder.AddListeningPort("unix:" + options.socket,
                           access::plain_credentials(*options.gatekeeper, access::Place::socket));
}

/// Tells the door which calls come to their services. No part of what they say passes here.
class Arrivals final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Arrivals(GrpcDoor& door) : door_(door) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    const auto need = access::need_of(info->method());
    const grpc::ServerContextBase& context = *info->server_context();
    door_.arrived(context.peer(), access::source_of_call(context), need && need->least != access::Role::none);
    return nullptr;
  }

 private:
  GrpcDoor& door_;
};

std::unique_ptr<access::OpenStreams> note_streams(grpc::ServerBuilder& builder,
                                                  const GrpcServerOptions& options, GrpcDoor& door) {
  if (options.gatekeeper == nullptr) return nullptr;
  auto streams = std::make_unique<access::OpenStreams>(*options.gatekeeper, options.may_call);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(streams->noting());
  interceptors.push_back(std::make_unique<Arrivals>(door));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  return streams;
}

Error cannot_listen(const Address& listen, const Error& why) {
  return fail(
      Errc::conflict,
      "cannot listen on {} for gRPC: {}: is another aggregator running, or the address not of this host?",
      listen.to_string(), why.message);
}

/// The port is open by then: what is left to go wrong is the socket.
Error cannot_start(const std::string& socket) {
  if (socket.empty()) return fail(Errc::internal, "gRPC does not start: its own lines in the log say why");
  return fail(Errc::conflict,
              "gRPC does not start, most likely for the socket {}: is something else in its place? "
              "access.socket: false does without it",
              socket);
}

}  // namespace

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const GrpcServerOptions& options,
                                                      const std::vector<grpc::Service*>& services) {
  std::unique_ptr<GrpcCertificates> certificates;
  if (options.tls) {
    auto opened = GrpcCertificates::open(options.tls->files, options.tls->look_every);
    if (!opened) return opened.error();
    certificates = std::move(*opened);
  }
  auto door = GrpcDoor::open({options.listen, options.limits, options.tally, options.gatekeeper != nullptr});
  if (!door) return cannot_listen(options.listen, door.error());
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  set_limits(builder, options);
  auto inside = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      credentials(options, certificates.get(), **door));
  add_socket(builder, options);
  auto streams = note_streams(builder, options, **door);
  for (grpc::Service* service : services) builder.RegisterService(service);
  const PrivateFiles private_files;  // the socket, which is made by the next call
  auto server = builder.BuildAndStart();
  if (!server) return cannot_start(options.socket);
  (*door)->start(std::move(inside));
  return std::unique_ptr<GrpcServer>(
      new GrpcServer({std::move(certificates), std::move(streams), std::move(*door), std::move(server)}));
}

GrpcServer::~GrpcServer() {
  stop(std::chrono::seconds(1));
}

void GrpcServer::set_serving(bool serving) {
  auto* health = server_->GetHealthCheckService();
  if (health == nullptr) return;
  for (const char* service :
       {v1::Ingest::service_full_name(), v1::Query::service_full_name(), v1::Fleet::service_full_name(),
        v1::Store::service_full_name(), v1::Identity::service_full_name()})
    health->SetServingStatus(service, serving);
  health->SetServingStatus(serving);
}

void GrpcServer::beat(std::chrono::steady_clock::time_point now) {
  if (streams_) streams_->check();
  if (certificates_) certificates_->look(now);
}

void GrpcServer::stop(std::chrono::milliseconds deadline) {
  door_->stop();  // gRPC forgets to close what it gets while it ends
  server_->Shutdown(std::chrono::system_clock::now() + deadline);
}

}  // namespace vigil::aggregator
