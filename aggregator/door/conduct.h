// How one connection behaves that gRPC serves: how much comes over it before anybody was let in, and how many
// calls are begun for nothing. Every such byte and call is memory for as long as gRPC has them in hand, and
// it has no limit of its own that binds a client that means harm: the limit of calls at a time counts only
// once the client has acknowledged it, and a call that is reset at once never counts (CVE-2023-44487).
//
//   stranger   nobody was let in over it yet: kStrangerBytes, and kStrangerRate bytes a second
//   known      somebody was: what is sent is not counted any more
//   begun      let in, and its service has not heard of it: kMostBegun at a time. What a client takes back in
//              that moment counts for good; those who mean no harm do that hardly ever
//   refused    kMostRefused at once, kRefusedRate a second
//
// Times come in as arguments. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vigil::aggregator::door {

/// A handshake with a chain of certificates and a first call with 8 KiB of metadata are 20 KiB.
inline constexpr std::uint64_t kStrangerBytes = 64 << 10;
inline constexpr std::uint64_t kStrangerRate = 4 << 10;  // for health checks, which need not say who they are
inline constexpr std::size_t kMostBegun = 64;  // four times as many as gRPC is told to have at a time
inline constexpr double kMostRefused = 100;
inline constexpr double kRefusedRate = 10;

class Conduct {
 public:
  explicit Conduct(std::int64_t now_ms) : at_ms_(now_ms), refused_at_ms_(now_ms) {}

  bool is_known() const { return is_known_; }

  // False: too much, the connection is to end.

  /// `bytes`: since it began, all that the client sent.
  bool sent(std::uint64_t bytes, std::int64_t now_ms);
  /// A call is let in.
  bool begun();
  /// Its service hears of it. `shows`: not everybody would have been let in.
  void arrived(bool shows);
  bool refused(std::int64_t now_ms);

 private:
  bool is_known_ = false;
  std::int64_t at_ms_;
  std::uint64_t seen_bytes_ = 0;
  double left_bytes_ = kStrangerBytes;
  std::size_t begun_ = 0;
  std::int64_t refused_at_ms_;
  double left_refusals_ = kMostRefused;
};

}  // namespace vigil::aggregator::door
