#include "aggregator/http/tls.h"

#include "aggregator/http/server.h"
#include "common/clock.h"
#include "common/tls/kept_file.h"
#include "common/tls/signing.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <thread>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::http;

namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;

/// An authority with a server's certificate, in files.
struct Certificates {
  Certificates() {
    authority.key = tls::make_key().value();
    authority.certificate = tls::make_authority(authority.key, "test", life()).value();
    renew();
  }
  static tls::Life life() { return {wall_ms() - 60'000, wall_ms() + 3'600'000}; }
  std::string signed_for(const std::string& key, tls::Subject subject) const {
    return tls::issue(authority, tls::public_half(key).value(), subject, life()).value();
  }
  void renew() const {
    const std::string key = tls::make_key().value();
    keep(signed_for(key, {"server", {}, {"127.0.0.1"}, tls::Purpose::server}) + key);
  }
  void keep(const std::string& text) const {
    REQUIRE(tls::keep_file(files().cert, text, tls::Readable::by_owner));
    REQUIRE(tls::keep_file(files().client_ca, authority.certificate, tls::Readable::by_everybody));
  }
  TlsFiles files() const {
    return {folder.file("server.pem"), folder.file("server.pem"), folder.file("ca.pem")};
  }

  test::TempDir folder;
  tls::Signer authority;
};

struct HttpsServer {
  HttpsServer() {
    router.add("GET", "/open", access::kOpen, [](const Request&) {
      return Response{200, "text/plain", "ok", {}};
    });
    router.add("GET", "/large", access::kOpen, [](const Request&) {
      return Response{200, "text/plain", std::string(1 << 20, 'x'), {}};
    });
    router.add_later("GET", "/later", access::kOpen, [](Request, const Responder& responder) {
      responder.send({200, "text/plain", "at last", {}});
    });
    ServerOptions options;
    options.listen.port = 0;
    options.tls = certificates.files();
    server = Server::listen(options, router).value();
    server->run();
  }

  /// What the server answers to this until it ends the connection, which must be the end of TLS, too.
  std::string talk(ssl::context& client, const std::string& request) const {
    asio::io_context context;
    ssl::stream<asio::ip::tcp::socket> stream(context, client);
    stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), server->address().port});
    boost::system::error_code error;
    stream.handshake(ssl::stream_base::client, error);
    if (error) return "no handshake";
    asio::write(stream, asio::buffer(request), error);
    std::string answer;
    asio::read(stream, asio::dynamic_buffer(answer), error);
    return error == asio::error::eof ? answer : "cut off after " + answer;
  }

  Certificates certificates;
  Router router;
  std::unique_ptr<Server> server;
};

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
}

ssl::context client_of(const Certificates& certificates) {
  ssl::context client(ssl::context::tls_client);
  client.set_verify_mode(ssl::verify_peer);
  client.add_certificate_authority(asio::buffer(certificates.authority.certificate));
  return client;
}

}  // namespace

TEST_CASE("certificate files that change are taken, and those that cannot be used are not") {
  const Certificates certificates;
  const auto contexts = TlsContexts::open(certificates.files()).value();
  const TlsContext first = contexts->current();
  contexts->look();
  CHECK(contexts->current() == first);  // nothing changed
  certificates.keep("no certificate");
  contexts->look();
  CHECK(contexts->current() == first);
  certificates.renew();
  contexts->look();
  CHECK(contexts->current() != first);
}

TEST_CASE("a key that belongs to another certificate is refused, and the files are named") {
  const Certificates certificates;
  const std::string key = tls::make_key().value();
  certificates.keep(
      certificates.signed_for(tls::make_key().value(), {"server", {}, {}, tls::Purpose::server}) + key);
  const auto opened = TlsContexts::open(certificates.files());
  REQUIRE_FALSE(opened);
  CHECK_THAT(opened.error().message, Catch::Contains("server.pem"));
}

TEST_CASE("over TLS answers arrive whole, and their end is told") {
  const HttpsServer f;
  ssl::context client = client_of(f.certificates);
  CHECK_THAT(f.talk(client, get("/open")),
             Catch::StartsWith("HTTP/1.1 200 OK") && Catch::EndsWith("\r\n\r\nok"));
  CHECK(f.talk(client, get("/large")).size() > (1 << 20));
  // A refusal while the client still sends arrives, too.
  CHECK_THAT(f.talk(client, "GET /open HTTP/1.1\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n"),
             Catch::StartsWith("HTTP/1.1 431"));
}

TEST_CASE("who has his last answer over TLS and does not end the connection is not waited for") {
  const HttpsServer f;
  ssl::context client = client_of(f.certificates);
  asio::io_context context;
  ssl::stream<asio::ip::tcp::socket> stream(context, client);
  stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), f.server->address().port});
  stream.handshake(ssl::stream_base::client);
  asio::write(stream, asio::buffer(get("/later")));
  std::string answer;
  boost::system::error_code error;
  asio::read(stream, asio::dynamic_buffer(answer), error);
  REQUIRE(error == asio::error::eof);  // of TLS
  CHECK_THAT(answer, Catch::EndsWith("at last"));
  pollfd ended{stream.next_layer().native_handle(), POLLIN, 0};
  REQUIRE(::poll(&ended, 1, 30'000) == 1);
  char byte = 0;
  CHECK(::recv(ended.fd, &byte, 1, 0) == 0);  // of the connection
}

TEST_CASE("TLS 1.2 is refused, and so is a certificate that another authority signed") {
  const HttpsServer f;
  ssl::context old = client_of(f.certificates);
  ::SSL_CTX_set_max_proto_version(old.native_handle(), TLS1_2_VERSION);
  CHECK(f.talk(old, get("/open")) == "no handshake");
  const Certificates others;
  ssl::context stranger = client_of(f.certificates);
  const std::string key = tls::make_key().value();
  const std::string pem = others.signed_for(key, {"me", {"vigil:person:me"}, {}, tls::Purpose::client});
  stranger.use_certificate_chain(asio::buffer(pem));
  stranger.use_private_key(asio::buffer(key), ssl::context::pem);
  CHECK_THAT(f.talk(stranger, get("/open")), !Catch::Contains("200 OK"));
}

TEST_CASE("who speaks plain HTTP to a port with TLS is told the way") {
  const HttpsServer f;
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::make_address("127.0.0.1"), f.server->address().port});
  asio::write(socket, asio::buffer(get("/open")));
  std::string answer;
  boost::system::error_code error;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 400") && Catch::EndsWith("use https://\r\n"));
}
