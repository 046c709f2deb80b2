// How often who may try: token buckets by key, in bounded memory however many keys there are. Times come in
// as arguments. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vigil::aggregator::access {

class Buckets {
 public:
  struct Options {
    double per_second = 1;    // refilled
    double most = 5;          // at once
    std::size_t keys = 4096;  // beyond it those are forgotten that came longest ago
  };
  explicit Buckets(Options options) : options_(options) {}

  /// Takes one; false: there is none left.
  bool take(const std::string& key, std::int64_t now_ms);
  /// Whether there is one left, without taking it.
  bool has(const std::string& key, std::int64_t now_ms) { return wait_ms(key, now_ms) == 0; }
  /// How long until there is one; 0: there is.
  std::int64_t wait_ms(const std::string& key, std::int64_t now_ms);
  std::size_t size() const;

 private:
  struct Bucket {
    double left = 0;
    std::int64_t at_ms = 0;
    std::list<std::string>::iterator place;
  };
  void refill(Bucket& bucket, std::int64_t now_ms) const;

  const Options options_;
  mutable std::mutex mutex_;  // protects what follows
  std::unordered_map<std::string, Bucket> buckets_;
  std::list<std::string> order_;  // who came last stands first
};

/// So many lines of a kind in the log a minute, whoever makes them come. Any thread.
class FewLines {
 public:
  explicit FewLines(double per_minute) : lines_({per_minute / 60, per_minute, 1}) {}

  /// Whether one may be written; then how many were left out before it.
  std::optional<std::uint64_t> take(std::int64_t now_ms);

 private:
  Buckets lines_;
  std::mutex mutex_;  // protects left_out_
  std::uint64_t left_out_ = 0;
};

/// Who an address belongs to as far as limits go: of IPv6 the network of 64 bits, which one customer has.
/// "192.0.2.7:4711" -> "192.0.2.7", "[2001:db8::1]:80" -> "2001:db8:0:0", "::ffff:192.0.2.7" ->
/// "192.0.2.7".
std::string source_of(std::string_view address);
/// Whether who has this address is on this machine: 127.0.0.0/8 and ::1, also as IPv6 maps them.
bool is_loopback_address(std::string_view address);
/// Whether a Host header, "localhost:8461", names this machine as only itself can: by loopback. Another name
/// that leads here may be a page's of somebody else, in a browser of this machine (DNS rebinding), or a
/// reverse proxy's; and none at all, which HTTP/1.0 may send, names nothing.
bool names_loopback(std::string_view host);

}  // namespace vigil::aggregator::access
