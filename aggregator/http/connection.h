// One connection of the HTTP port: reads requests, has them answered, writes answers as the client takes
// them. Internal to the server.
#pragma once

#include "aggregator/http/coding.h"
#include "aggregator/http/router.h"
#include "aggregator/http/server.h"
#include "aggregator/http/stream.h"

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <mutex>
#include <optional>

namespace vigil::aggregator::http {

/// Shut by Server::stop(): an answer that comes later finds nobody. Outlives server and connections.
struct Gate {
  std::mutex mutex;
  bool is_open = true;  // protected by mutex, which is held while the connection is told
};

/// What the connections of a server have in common.
struct Shared {
  const ServerOptions options;
  const Router& router;
  boost::asio::thread_pool& bodies;  // makes the pieces of answers that are sent in chunks
  const std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  door::Roster roster{options.limits};

  void ended(door::Ending why, const std::string& source) const;
};

/// Who connected, and the place it has in the roster.
struct Arrival {
  std::string address;  // "192.0.2.7"
  std::uint16_t port = 0;
  std::string source;  // what limits count by
  door::Roster::Id place = 0;
};

/// Milliseconds for limits.
std::int64_t steady_ms();

/// What an answer gets besides what it says, by the request it belongs to.
struct Dress {
  std::string path;
  std::string origin;
  Coding coding = Coding::identity;  // what the client takes
  Cors cors = {};
  /// With the headers that every answer has, and compressed: that takes time. On any thread.
  Response put_on(Response response) const;
};

/// Owns itself: it lives as long as one of its operations is pending. Everything happens on its strand.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Tcp = boost::asio::ip::tcp;
  using Code = boost::system::error_code;

  /// `tls` null: plain text.
  Connection(Tcp::socket socket, Arrival arrival, const TlsContext& tls, Shared& shared);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  /// The answer to the request that waits, dressed. On any thread.
  void answer(Response response);
  /// The gatekeeper has looked at a password. On any thread.
  void judged(access::Verdict verdict);
  /// Somebody else needs its place: it ends now, or with the answer it waits for. On any thread.
  void make_room();

 private:
  void on_handshake(Code error);
  void answer_plain_http();
  void await_request();
  void read_header();
  void on_header(Code error);
  void ask_gatekeeper();
  bool refuse_certificate();
  void ask_slowly(const access::Presented& presented);
  void admit(access::Verdict verdict);
  void accept_body();
  void read_body();
  void on_request(Code error);
  bool refuse_unreadable(Code error);
  void note_request();
  void dispatch(const Route& route, Request request);
  void answer_later(const LaterHandler& handler, Request request);

  void watch();
  void on_watched(Code error, std::size_t bytes);

  void refuse(unsigned status, std::string_view message);
  void refuse(Response response);
  void respond(Response response);
  void write_whole();
  void write_head();
  void make_piece();
  void write_piece();
  void write_end();
  void after_answer(Code error);
  void go_on();
  void waits();
  void works();
  void finish();
  void linger();
  void drain();
  void close();

  Shared& shared_;
  const Arrival arrival_;
  Stream stream_;
  std::optional<ShownCertificate> certificate_;
  bool is_waiting_ = false;  // for the client: to send, or to take its answer
  bool makes_room_ = false;  // after the answer
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  const Route* route_ = nullptr;  // of the request being read
  access::Caller caller_;         // whose it is
  std::optional<Response> found_none_;

  // Of the request being answered.
  std::chrono::steady_clock::time_point asked_at_;
  Dress dress_;
  unsigned status_ = 0;  // 0: there is none
  boost::beast::http::verb method_ = boost::beast::http::verb::get;
  unsigned version_ = 11;
  bool keep_ = false;
  bool unread_ = false;                      // the client is still sending what nobody will read
  boost::asio::steady_timer waiting_;        // keeps this alive while nothing else is pending
  std::shared_ptr<std::atomic<bool>> gone_;  // told to the handler
  enum class Watch { none, pending, ended } watch_ = Watch::none;
  bool is_answered_ = false;  // what follows begins as soon as the watch has ended

  std::optional<boost::beast::http::response<boost::beast::http::string_body>> response_;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::string_body>> serializer_;
  NextPiece next_;
  std::string piece_;
};

}  // namespace vigil::aggregator::http
