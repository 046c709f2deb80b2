#include "aggregator/access/call_guard.h"

#include "aggregator/access/rpc_needs.h"

#include <grpc/grpc_security.h>
#include <grpcpp/security/auth_metadata_processor.h>

#include <string>
#include <string_view>

namespace vigil::aggregator::access {
namespace {

constexpr const char* kAuthorization = "authorization";

std::string_view view(grpc::string_ref text) {
  return {text.data(), text.size()};
}

std::string_view view(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

grpc::Status to_status(const Verdict& verdict) {
  switch (verdict.answer) {
    case Verdict::Answer::yes:
      return grpc::Status::OK;
    case Verdict::Answer::forbidden:
      return {grpc::StatusCode::PERMISSION_DENIED, verdict.why};
    case Verdict::Answer::too_many:
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, verdict.why};
    case Verdict::Answer::ask_slowly:
      return {grpc::StatusCode::UNAUTHENTICATED,
              "passwords are for HTTP: over gRPC show a token (--token-file) or a certificate"};
    case Verdict::Answer::unauthenticated:
      break;
  }
  return {grpc::StatusCode::UNAUTHENTICATED, verdict.why};
}

/// Whoever looks later must not find another one than who decided.
grpc::Status shown_twice() {
  return {grpc::StatusCode::UNAUTHENTICATED, "authorization is given more than once"};
}

grpc::Status decide(Gatekeeper& gatekeeper, std::string_view path, const Presented& presented) {
  const auto need = need_of(path);
  if (!need) return {grpc::StatusCode::PERMISSION_DENIED, "nobody may call this method"};
  return to_status(gatekeeper.check(presented, *need));
}

std::optional<CertificateNames> certificate_of(const grpc::AuthContext& context) {
  if (!context.IsPeerAuthenticated()) return std::nullopt;
  CertificateNames names;
  for (const grpc::string_ref& name : context.FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME))
    names.common_name = view(name);
  for (const grpc::string_ref& uri : context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME))
    names.uris.emplace_back(view(uri));
  return names;
}

bool is_encrypted(const grpc::AuthContext& context) {
  for (const grpc::string_ref& type : context.FindPropertyValues(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME))
    return view(type) == GRPC_SSL_TRANSPORT_SECURITY_TYPE || view(type) == GRPC_TLS_TRANSPORT_SECURITY_TYPE;
  return false;
}

/// gRPC does not tell whose address a call has before a service gets it, so wrong credentials are counted by
/// connection, whose properties have a place in memory of their own.
std::string connection_of(const grpc::AuthContext& context) {
  auto first = context.begin();
  return first == context.end() ? "connection"
                                : fmt::format("connection {}", fmt::ptr((*first).second.data()));
}

/// Over TLS everybody is from away: a certificate or a token says who it is.
class TlsGuard final : public grpc::AuthMetadataProcessor {
 public:
  TlsGuard(Gatekeeper& gatekeeper, MayCall may_call)
      : gatekeeper_(gatekeeper), may_call_(std::move(may_call)) {}
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    Presented presented;
    presented.source = connection_of(*context);
    presented.certificate = certificate_of(*context);
    if (metadata.count(kAuthorization) > 1) return shown_twice();
    const auto shown = metadata.find(kAuthorization);
    if (shown != metadata.end()) presented.authorization = view(shown->second);
    const auto found = metadata.find(":path");
    const std::string_view path = found == metadata.end() ? std::string_view() : view(found->second);
    if (presented.certificate && may_call_) {
      if (const auto allowed = may_call_(pem_of(*context), path); !allowed)
        return {grpc::StatusCode::PERMISSION_DENIED, allowed.error().message};
    }
    return decide(gatekeeper_, path, presented);
  }

 private:
  static std::string pem_of(const grpc::AuthContext& context) {
    const auto found = context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
    return found.empty() ? std::string() : std::string(view(found.front()));
  }

  Gatekeeper& gatekeeper_;
  const MayCall may_call_;
};

/// What calls of a plain port are judged by; belongs to gRPC, which outlives the C++ credentials.
struct PlainGuard {
  Gatekeeper& gatekeeper;
  Place place;

  static void process(void* self, grpc_auth_context* context, const grpc_metadata* metadata,
                      std::size_t count, grpc_process_auth_metadata_done_cb done, void* call) {
    const auto* guard = static_cast<const PlainGuard*>(self);
    Presented presented;
    presented.place = guard->place;
    presented.source = fmt::format("connection {}", fmt::ptr(context));
    std::string_view path;
    std::size_t shown = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view key = view(metadata[i].key);
      if (key == ":path") path = view(metadata[i].value);
      if (key != kAuthorization) continue;
      presented.authorization = view(metadata[i].value);
      ++shown;
    }
    const grpc::Status status = shown > 1 ? shown_twice() : decide(guard->gatekeeper, path, presented);
    done(call, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.error_code()),
         status.ok() ? nullptr : status.error_message().c_str());
  }
  static void destroy(void* self) { delete static_cast<PlainGuard*>(self); }
};

/// gRPC's C++ credentials for plain text ask nobody, though what lies below them can.
class PlainCredentials final : public grpc::ServerCredentials {
 public:
  PlainCredentials(Gatekeeper& gatekeeper, Place place) : gatekeeper_(gatekeeper), place_(place) {}
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* plain = grpc_insecure_server_credentials_create();
    auto* guard = new PlainGuard{gatekeeper_, place_};
    grpc_server_credentials_set_auth_metadata_processor(plain,
                                                        {&PlainGuard::process, &PlainGuard::destroy, guard});
    const int port = grpc_server_add_http2_port(server, address.c_str(), plain);
    grpc_server_credentials_release(plain);
    return port;
  }

  Gatekeeper& gatekeeper_;
  const Place place_;
};

/// "ipv4:127.0.0.1:4711" and "ipv6:%5B::1%5D:4711" without what is gRPC's own.
std::string address_of(std::string peer) {
  for (const std::string_view scheme : {"ipv4:", "ipv6:"}) {
    if (peer.starts_with(scheme)) peer.erase(0, scheme.size());
  }
  for (const auto& [coded, plain] : {std::pair{"%5B", "["}, {"%5D", "]"}}) {
    if (const auto at = peer.find(coded); at != std::string::npos) peer.replace(at, 3, plain);
  }
  return peer;
}

}  // namespace

void guard(grpc::ServerCredentials& credentials, Gatekeeper& gatekeeper, MayCall may_call) {
  credentials.SetAuthMetadataProcessor(std::make_shared<TlsGuard>(gatekeeper, std::move(may_call)));
}

std::shared_ptr<grpc::ServerCredentials> plain_credentials(Gatekeeper& gatekeeper, Place place) {
  return std::make_shared<PlainCredentials>(gatekeeper, place);
}

Caller caller_of(const Gatekeeper& gatekeeper, const grpc::ServerContextBase& context) {
  Presented presented;
  const std::string peer = context.peer();
  const auto security = context.auth_context();
  if (security) presented.certificate = certificate_of(*security);
  const bool is_tls = security && is_encrypted(*security);
  presented.place = peer.starts_with("unix:")                          ? Place::socket
                    : !is_tls && is_loopback_address(address_of(peer)) ? Place::loopback
                                                                       : Place::away;
  const auto shown = context.client_metadata().find(kAuthorization);
  if (shown != context.client_metadata().end()) presented.authorization = view(shown->second);
  return gatekeeper.identify(presented);
}

Actor actor_of(const Gatekeeper& gatekeeper, const grpc::ServerContextBase& context) {
  Caller caller = caller_of(gatekeeper, context);
  return {caller.kind, std::move(caller.name), address_of(context.peer())};
}

}  // namespace vigil::aggregator::access
