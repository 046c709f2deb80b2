#include "aggregator/access/call_guard.h"

#include "aggregator/access/authorization.h"
#include "aggregator/access/rpc_needs.h"

#include <grpc/grpc_security.h>
#include <grpcpp/security/auth_metadata_processor.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace vigil::aggregator::access {
namespace {

constexpr const char* kAuthorization = "authorization";
// Properties of a connection, which the guards give it.
constexpr const char* kSource = "vigil_source";
constexpr const char* kPlace = "vigil_place";  // of plain text; over TLS everybody is from away

constexpr std::array<std::pair<Place, const char*>, 3> kPlaces = {
    {{Place::socket, "socket"}, {Place::loopback, "loopback"}, {Place::away, "away"}}};

const char* word_of(Place place) {
  return std::ranges::find(kPlaces, place, &std::pair<Place, const char*>::first)->second;
}

Place place_from(std::string_view word) {
  const auto* const found = std::ranges::find(kPlaces, word, &std::pair<Place, const char*>::second);
  return found == kPlaces.end() ? Place::away : found->first;
}

std::string_view view(const grpc::string_ref& text) {
  return {text.data(), text.size()};
}

std::string_view view(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

/// Whoever looks later must not find another one than who decided.
grpc::Status shown_twice() {
  return {grpc::StatusCode::UNAUTHENTICATED, "authorization is given more than once"};
}

bool is_password(const std::string& authorization) {
  const auto credential = parse_authorization(authorization);
  return credential && std::holds_alternative<Basic>(*credential);
}

grpc::Status decide(Gatekeeper& gatekeeper, std::string_view path, const Presented& presented) {
  const auto need = need_of(path);
  if (!need) return {grpc::StatusCode::PERMISSION_DENIED, "nobody may call this method"};
  // People choose passwords, so they can be guessed; and here guesses are counted by connection, of which
  // there is always another. So not even one counts that was right over HTTP a moment ago.
  if (is_password(presented.authorization)) {
    gatekeeper.count_refusal(Verdict::Answer::unauthenticated);
    return {grpc::StatusCode::UNAUTHENTICATED,
            "passwords are for HTTP: over gRPC show a token (--token-file) or a certificate"};
  }
  return to_status(gatekeeper.check(presented, *need));
}

void tell(CallWatch* watch, const grpc::Status& status, const std::string& source, std::string_view path) {
  if (watch == nullptr) return;
  if (status.ok()) return watch->let_in(source, path);
  watch->refused(source);
}

std::string first_of(const grpc::AuthContext& context, const char* property) {
  const auto found = context.FindPropertyValues(property);
  return found.empty() ? std::string() : std::string(view(found.front()));
}

std::optional<CertificateNames> certificate_of(const grpc::AuthContext& context) {
  if (!context.IsPeerAuthenticated()) return std::nullopt;
  CertificateNames names;
  names.common_name = first_of(context, GRPC_X509_CN_PROPERTY_NAME);
  for (const grpc::string_ref& uri : context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME))
    names.uris.emplace_back(view(uri));
  names.pem = first_of(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return names;
}

/// gRPC does not tell whose address a call has before a service gets it, so wrong credentials are counted by
/// connection. Its first call writes a source of its own among the connection's properties, where the others
/// find it, and where it goes with the connection: an address in memory would come again for another one.
///
/// All calls of a connection share the properties. Each passes here before anybody reads them, so that the
/// lock orders the one that writes before all others.
class Sources {
 public:
  explicit Sources(Gatekeeper& gatekeeper) : gatekeeper_(gatekeeper) {}

  /// `find()` gives the property's value, "" while there is none; `add(value)` writes it.
  template <class Find, class Add>
  std::string source(const Find& find, const Add& add) const {
    const std::lock_guard lock(mutex_);
    std::string found = find();
    if (!found.empty()) return found;
    found = gatekeeper_.new_source();
    add(found);
    return found;
  }

 private:
  Gatekeeper& gatekeeper_;
  mutable std::mutex mutex_;
};

/// Over TLS everybody is from away: a certificate or a token says who it is.
class TlsGuard final : public grpc::AuthMetadataProcessor {
 public:
  TlsGuard(Gatekeeper& gatekeeper, MayCall may_call, CallWatch* watch)
      : gatekeeper_(gatekeeper), may_call_(std::move(may_call)), watch_(watch), sources_(gatekeeper) {}
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    Presented presented;
    presented.source =
        sources_.source([context] { return first_of(*context, kSource); },
                        [context](const std::string& source) { context->AddProperty(kSource, source); });
    presented.certificate = certificate_of(*context);
    const auto found = metadata.find(":path");
    const std::string_view path = found == metadata.end() ? std::string_view() : view(found->second);
    grpc::Status status = answer_to(metadata, path, presented);
    tell(watch_, status, presented.source, path);
    return status;
  }

 private:
  grpc::Status answer_to(const InputMetadata& metadata, std::string_view path, Presented& presented) const {
    if (metadata.count(kAuthorization) > 1) return shown_twice();
    const auto shown = metadata.find(kAuthorization);
    if (shown != metadata.end()) presented.authorization = view(shown->second);
    if (auto allowed = ask_of_certificate(may_call_, presented, path); !allowed.ok()) return allowed;
    return decide(gatekeeper_, path, presented);
  }

  Gatekeeper& gatekeeper_;
  const MayCall may_call_;
  CallWatch* const watch_;
  const Sources sources_;
};

/// What calls of a plain port are judged by; belongs to gRPC, which outlives the C++ credentials.
struct PlainGuard {
  PlainGuard(Gatekeeper& gatekeeper, Place place, CallWatch* watch)
      : gatekeeper(gatekeeper), place(place), watch(watch), sources(gatekeeper) {}

  Gatekeeper& gatekeeper;
  const Place place;
  CallWatch* const watch;
  const Sources sources;

  static std::string property_of(const grpc_auth_context* context, const char* name) {
    grpc_auth_property_iterator found = grpc_auth_context_find_properties_by_name(context, name);
    const grpc_auth_property* property = grpc_auth_property_iterator_next(&found);
    return property == nullptr ? std::string() : std::string(property->value, property->value_length);
  }
  std::string source_of(grpc_auth_context* context) const {
    return sources.source([context] { return property_of(context, kSource); },
                          [this, context](const std::string& source) {
                            grpc_auth_context_add_cstring_property(context, kSource, source.c_str());
                            grpc_auth_context_add_cstring_property(context, kPlace, word_of(place));
                          });
  }

  static void process(void* self, grpc_auth_context* context, const grpc_metadata* metadata,
                      std::size_t count, grpc_process_auth_metadata_done_cb done, void* call) {
    const auto* guard = static_cast<const PlainGuard*>(self);
    Presented presented;
    presented.place = guard->place;
    presented.source = guard->source_of(context);
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
    tell(guard->watch, status, presented.source, path);
    done(call, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.error_code()),
         status.ok() ? nullptr : status.error_message().c_str());
  }
  static void destroy(void* self) { delete static_cast<PlainGuard*>(self); }
};

/// gRPC's C++ credentials for plain text ask nobody, though what lies below them can.
class PlainCredentials final : public grpc::ServerCredentials {
 public:
  PlainCredentials(Gatekeeper& gatekeeper, Place place, CallWatch* watch)
      : gatekeeper_(gatekeeper), place_(place), watch_(watch) {}
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* plain = grpc_insecure_server_credentials_create();
    auto* guard = new PlainGuard(gatekeeper_, place_, watch_);
    grpc_server_credentials_set_auth_metadata_processor(plain,
                                                        {&PlainGuard::process, &PlainGuard::destroy, guard});
    const int port = grpc_server_add_http2_port(server, address.c_str(), plain);
    grpc_server_credentials_release(plain);
    return port;
  }

  Gatekeeper& gatekeeper_;
  const Place place_;
  CallWatch* const watch_;
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

void guard(grpc::ServerCredentials& credentials, Gatekeeper& gatekeeper, MayCall may_call, CallWatch* watch) {
  credentials.SetAuthMetadataProcessor(std::make_shared<TlsGuard>(gatekeeper, std::move(may_call), watch));
}

std::shared_ptr<grpc::ServerCredentials> plain_credentials(Gatekeeper& gatekeeper, Place place,
                                                           CallWatch* watch) {
  return std::make_shared<PlainCredentials>(gatekeeper, place, watch);
}

grpc::Status to_status(const Verdict& verdict) {
  switch (verdict.answer) {
    case Verdict::Answer::yes:
      return grpc::Status::OK;
    case Verdict::Answer::forbidden:
      return {grpc::StatusCode::PERMISSION_DENIED, verdict.why};
    case Verdict::Answer::too_many:
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, verdict.why};
    case Verdict::Answer::ask_slowly:  // nobody waits here: the caller comes again
    case Verdict::Answer::unauthenticated:
      break;
  }
  return {grpc::StatusCode::UNAUTHENTICATED, verdict.why};
}

grpc::Status ask_of_certificate(const MayCall& may_call, const Presented& presented,
                                std::string_view method) {
  if (!presented.certificate || !may_call) return grpc::Status::OK;
  const auto allowed = may_call(presented.certificate->pem, method);
  if (allowed) return grpc::Status::OK;
  return {grpc::StatusCode::PERMISSION_DENIED, allowed.error().message};
}

std::string address_of_call(const grpc::ServerContextBase& context) {
  return address_of(context.peer());
}

std::string source_of_call(const grpc::ServerContextBase& context) {
  const auto security = context.auth_context();
  return security ? first_of(*security, kSource) : std::string();
}

Presented presented_of(const grpc::ServerContextBase& context) {
  Presented presented;
  if (const auto security = context.auth_context()) {
    presented.source = first_of(*security, kSource);
    presented.certificate = certificate_of(*security);
    presented.place = place_from(first_of(*security, kPlace));
  }
  const auto shown = context.client_metadata().find(kAuthorization);
  if (shown != context.client_metadata().end()) presented.authorization = view(shown->second);
  return presented;
}

Caller caller_of(const Gatekeeper& gatekeeper, const grpc::ServerContextBase& context) {
  return gatekeeper.identify(presented_of(context));
}

Actor actor_of(const Gatekeeper& gatekeeper, const grpc::ServerContextBase& context) {
  Caller caller = caller_of(gatekeeper, context);
  return {caller.kind, std::move(caller.name), address_of_call(context)};
}

}  // namespace vigil::aggregator::access
