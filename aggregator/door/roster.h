// Who is connected to a port, and who may come in. No source fills a port: each has a limit of its own, and
// where a port is full, somebody who only waits makes room. Times come in as arguments. Any thread.
//
//   rate     more new connections a second than one source, or all together, may begin: refused. Half of what
//            all may begin is kept for sources that come now and then (kQuietRate), so that a crowd that
//            comes all the time keeps no monitor out
//   source   the source has all it may have: the one of it that has waited longest goes, if that has waited
//            for a second; else the new one is refused
//   full     the port has all it may have: of the source with most connections the one goes that has waited
//            longest; when nobody waits, the new one is refused
#pragma once

#include "aggregator/access/limits.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

namespace vigil::aggregator::door {

struct Limits {
  std::size_t most = 256;  // connections at the same time
  std::size_t most_of_source = 128;
  double new_of_source = 50;  // a second, kSourceBurst times as many at once
  double new_of_all = 500;    // a second, kBurst times as many at once
};
inline constexpr double kSourceBurst = 20;
inline constexpr double kBurst = 4;
/// What a source may take of the half that is kept, a second and at once.
inline constexpr double kQuietRate = 0.5;
inline constexpr double kQuietBurst = 3;

enum class Refusal : std::uint8_t { rate, source, full };

class Roster {
 public:
  using Id = std::uint64_t;
  explicit Roster(const Limits& limits);

  /// `source` as access::source_of() has it. `drop` is called, at most once, by another one's enter() when
  /// this one is to make room: it must not block, and its connection is not counted any more.
  std::variant<Id, Refusal> enter(const std::string& source, std::int64_t now_ms,
                                  std::function<void()> drop = {});
  /// It is closed; also after it made room.
  void leave(Id id);
  /// From now on it waits for its client, to send or to take something: it may have to make room. New ones do
  /// not wait.
  void waits(Id id, std::int64_t now_ms);
  void works(Id id);

  std::size_t size() const;
  const Limits& limits() const { return limits_; }

 private:
  struct Guest {
    std::string source;
    std::optional<std::int64_t> waits_since;
    std::function<void()> drop;
  };
  using Guests = std::unordered_map<Id, Guest>;
  struct Source {
    std::size_t held = 0;
    std::set<std::pair<std::int64_t, Id>> waiting;  // since when, who
  };
  bool may_begin(const std::string& source, std::int64_t now_ms);
  std::size_t held_by(const std::string& source) const;
  Guests::iterator longest_waiting(const std::string& source);
  Guests::iterator who_makes_room(const std::string& newcomer, std::int64_t now_ms);
  std::optional<Refusal> make_room(const std::string& source, std::int64_t now_ms,
                                   std::function<void()>& dropped);
  void erase(Guests::iterator guest);

  const Limits limits_;
  access::Buckets by_source_;
  access::Buckets of_all_;
  access::Buckets quiet_;     // by source
  access::Buckets kept_;      // of all that are quiet
  mutable std::mutex mutex_;  // protects what follows
  Id next_ = 1;
  Guests guests_;
  std::unordered_map<std::string, Source> sources_;
};

}  // namespace vigil::aggregator::door
