// The port over real sockets: who is let in by the handshake, which versions of TLS are spoken, and that
// certificates change without a new start.
#include "agent/enrolment/handshake.h"

#include "aggregator/ingest/grpc_server.h"
#include "common/clock.h"
#include "common/delivery/channel.h"
#include "common/grpc/runtime.h"
#include "common/log/log.h"
#include "common/tls/kept_file.h"
#include "tests/aggregator/identity/authority_fixture.h"

#include <arpa/inet.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace vigil::aggregator::identity {
namespace {

using namespace testing;

/// A port with nothing but gRPC's own health service.
struct Port {
  Port(OwnAuthority& authority, ClientCertificate client) {
    prepare_grpc();
    log::set_level(log::Level::error);  // each refused handshake is a line
    GrpcServerOptions options;
    options.listen = {"127.0.0.1", 0};
    const std::string own = server_path(authority.folder);
    options.tls = GrpcTls{{own, own, authority_path(authority.folder)}, client, std::chrono::seconds(1)};
    auto started = GrpcServer::start(options, {});
    REQUIRE(started);
    server = std::move(*started);
    server->set_serving(true);
    ca = authority.signer().certificate;
  }
  ~Port() {
    server->stop(std::chrono::seconds(1));
    log::set_level(log::Level::info);
  }

  /// Whether a call gets through with this certificate; "" for none.
  bool lets_in(const std::string& certificate, const std::string& key) const {
    ChannelOptions channel{server->address().to_string(), Transport::tls, {ca, certificate, key}};
    grpc::GenericStub stub(make_channel(channel));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    grpc::CompletionQueue queue;
    const grpc::ByteBuffer nothing(nullptr, 0);
    auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", nothing, &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, &status);
    void* tag = nullptr;
    bool ok = false;
    REQUIRE(queue.Next(&tag, &ok));
    return status.ok();
  }

  std::unique_ptr<GrpcServer> server;
  std::string ca;
};

/// Whether a client that speaks no version but this one gets through.
bool speaks(const Address& address, int version) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(address.port);
  ::inet_pton(AF_INET, address.host.c_str(), &to.sin_addr);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  SSL_CTX* context = ::SSL_CTX_new(::TLS_client_method());
  ::SSL_CTX_set_min_proto_version(context, version);
  ::SSL_CTX_set_max_proto_version(context, version);
  SSL* conversation = ::SSL_new(context);
  ::SSL_set_fd(conversation, fd);
  constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  ::SSL_set_alpn_protos(conversation, kHttp2, sizeof kHttp2);
  const bool connected = ::SSL_connect(conversation) == 1;
  ::SSL_free(conversation);
  ::SSL_CTX_free(context);
  ::close(fd);
  return connected;
}

std::string by(const tls::Signer& signer, const std::string& half, const tls::Life& life) {
  return tls::issue(signer, half, {"web-1", {"vigil:host:web-1"}, {}, tls::Purpose::client}, life).value();
}

}  // namespace

TEST_CASE("TLS 1.3 is spoken and nothing older") {
  OwnAuthority authority(wall_ms());
  const Port port(authority, ClientCertificate::asked);
  CHECK(speaks(port.server->address(), TLS1_3_VERSION));
  CHECK_FALSE(speaks(port.server->address(), TLS1_2_VERSION));
  CHECK_FALSE(speaks(port.server->address(), TLS1_1_VERSION));
}

TEST_CASE("hundreds of certificates that are not the authority's are turned away in the handshake") {
  OwnAuthority authority(wall_ms());
  OwnAuthority strangers(wall_ms());
  const Port port(authority, ClientCertificate::asked);
  const Asking asking;
  const std::string half = tls::public_half(asking.key).value();
  const Issued good = authority.enrolled("web-1", asking);
  REQUIRE(port.lets_in("", ""));
  REQUIRE(port.lets_in(good.certificate, asking.key));

  const std::int64_t now = wall_ms();
  const tls::Life current{now - kMinute, now + kDay};
  const tls::Signer ours = authority.signer();
  const tls::Signer foreign = strangers.signer();
  const std::string own_key = tls::make_key().value();
  const tls::Signer imposter{
      tls::make_authority(own_key, authority->own().common_name, {now - kDay, now + kDay}).value(), own_key};
  const tls::Signer agent{good.certificate, asking.key};
  int let_in = 0;
  for (int i = 0; i < 75; ++i) {
    let_in += port.lets_in(by(foreign, half, current), asking.key) ? 1 : 0;
    let_in += port.lets_in(by(imposter, half, current), asking.key) ? 1 : 0;
    let_in += port.lets_in(by(agent, half, current) + good.certificate, asking.key) ? 1 : 0;
    const std::int64_t end = now - kMinute * (i + 1);
    let_in += port.lets_in(by(ours, half, {end - kDay, end}), asking.key) ? 1 : 0;
  }
  CHECK(let_in == 0);
  CHECK(port.lets_in(good.certificate, asking.key));
}

TEST_CASE("where a certificate is required nobody gets in without one") {
  OwnAuthority authority(wall_ms());
  const Port port(authority, ClientCertificate::required);
  const Asking asking;
  const Issued good = authority.enrolled("web-1", asking);
  CHECK_FALSE(port.lets_in("", ""));
  CHECK(port.lets_in(good.certificate, asking.key));
}

TEST_CASE("a server's certificate that is renewed is shown without a new start") {
  OwnAuthority authority(wall_ms());
  const Port port(authority, ClientCertificate::asked);
  const auto serial = [&port]() -> std::string {
    const auto shown = agent::shown_certificates(port.server->address(), std::chrono::seconds(10));
    if (!shown || shown->size() != 2) return {};
    return tls::read_certificate(shown->front())->serial;
  };
  const std::string before = serial();
  REQUIRE_FALSE(before.empty());
  REQUIRE(set_up(authority.folder, {}, {"mon.example.org"}, {wall_ms(), Lives{}.server})->made_server);
  std::string after = serial();
  for (int i = 0; i < 300 && after == before; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    port.server->beat(std::chrono::steady_clock::now());
    after = serial();
  }
  CHECK(after != before);
  CHECK_FALSE(after.empty());
}

TEST_CASE("between a new key and its certificate new connections are shown the pair from before") {
  OwnAuthority authority(wall_ms());
  const test::TempDir folder;
  const std::string cert_path = folder.file("server.pem");
  const std::string key_path = folder.file("server.key");
  const auto make_pair = [&]() -> tls::Signer {
    std::string key = tls::make_key().value();
    std::string certificate = tls::issue(authority.signer(), tls::public_half(key).value(),
                                         {"server", {}, {"127.0.0.1"}, tls::Purpose::server},
                                         {wall_ms() - kMinute, wall_ms() + kDay})
                                  .value();
    return {std::move(certificate), std::move(key)};
  };
  const tls::Signer before = make_pair();
  const tls::Signer after = make_pair();
  REQUIRE(tls::keep_file(cert_path, before.certificate, tls::Readable::by_everybody));
  REQUIRE(tls::keep_file(key_path, before.key, tls::Readable::by_owner));
  prepare_grpc();
  log::set_level(log::Level::error);
  GrpcServerOptions options;
  options.listen = {"127.0.0.1", 0};
  options.tls = GrpcTls{{cert_path, key_path, ""}, ClientCertificate::not_asked, std::chrono::seconds(1)};
  const auto server = GrpcServer::start(options, {}).value();
  const auto shows = [&server](const tls::Signer& pair) {
    const auto shown = agent::shown_certificates(server->address(), std::chrono::seconds(10));
    return shown &&
           tls::read_certificate(shown->front())->serial == tls::read_certificate(pair.certificate)->serial;
  };
  CHECK(shows(before));
  auto now = std::chrono::steady_clock::now();
  REQUIRE(tls::keep_file(key_path, after.key, tls::Readable::by_owner));
  // Longer than gRPC takes to look, which does it by itself.
  for (const auto until = now + std::chrono::milliseconds(2500); now < until;
       now = std::chrono::steady_clock::now()) {
    server->beat(now);
    REQUIRE(shows(before));
  }
  REQUIRE(tls::keep_file(cert_path, after.certificate, tls::Readable::by_everybody));
  bool is_shown = false;
  for (int i = 0; i < 300 && !is_shown; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    server->beat(std::chrono::steady_clock::now());
    is_shown = shows(after);
  }
  CHECK(is_shown);
  server->stop(std::chrono::seconds(1));
  log::set_level(log::Level::info);
}

TEST_CASE("who speaks no TLS shows no certificates") {
  prepare_grpc();
  GrpcServerOptions options;
  options.listen = {"127.0.0.1", 0};
  const auto plain = GrpcServer::start(options, {});
  REQUIRE(plain);
  const auto shown = agent::shown_certificates((*plain)->address(), std::chrono::seconds(10));
  REQUIRE_FALSE(shown);
  CHECK(shown.error().message.find("does not speak TLS 1.3") != std::string::npos);
  (*plain)->stop(std::chrono::seconds(1));
  CHECK(agent::shown_certificates({"127.0.0.1", 1}, std::chrono::seconds(2)).error().code ==
        Errc::unavailable);
}

}  // namespace vigil::aggregator::identity
