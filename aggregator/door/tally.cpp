#include "aggregator/door/tally.h"

#include "common/log/log.h"

#include <utility>

namespace vigil::aggregator::door {
namespace {

constexpr std::int64_t kSilenceMs = 60'000;

constexpr std::array<const char*, 3> kRefusals = {"rate", "source", "full"};
constexpr std::array<const char*, 5> kEndings = {"slow", "room", "handshake", "stranger", "calls"};

bool has(const std::string& port, Ending ending) {
  if (ending == Ending::room) return true;
  const bool is_of_grpc = ending == Ending::stranger || ending == Ending::calls;
  return is_of_grpc == (port == "grpc");
}

std::string sentence_of(Refusal why, const std::string& port) {
  switch (why) {
    case Refusal::rate:
      return fmt::format(
          "connections are refused: more new ones a second than {0}.new_per_source or {0}.new_in_all", port);
    case Refusal::source:
      return fmt::format("connections are refused: one source has as many as {}.max_per_source", port);
    case Refusal::full:
      break;
  }
  return port == "http" ? "connections are refused: there are as many as http.max_connections"
                        : "connections are refused: there are as many as ingest.max_agents and the limit of "
                          "open files leave room for";
}

const char* sentence_of(Ending why) {
  switch (why) {
    case Ending::slow:
      return "connections are ended whose clients send too slowly";
    case Ending::room:
      return "connections that wait are ended to make room for others";
    case Ending::stranger:
      return "connections are ended that send much before anybody was let in";
    case Ending::calls:
      return "connections are ended that begin calls and leave them, or are refused again and again";
    case Ending::handshake:
      break;
  }
  return "connections are ended that did not come to TLS 1.3";
}

}  // namespace

Tally::Tally(std::string port, self::Registry& registry)
    : port_(std::move(port)),
      connections_(
          registry.gauge("vigil_aggregator_connections", "Connections of a port.", {{"port", port_}})),
      refused_{},
      ended_{} {
  for (std::size_t i = 0; i < refused_.size(); ++i)
    refused_[i] = &registry.counter("vigil_aggregator_connections_refused_total",
                                    "Connections refused before anything was read of them, by the limit.",
                                    {{"port", port_}, {"reason", kRefusals[i]}});
  for (std::size_t i = 0; i < ended_.size(); ++i) {
    if (!has(port_, static_cast<Ending>(i))) continue;
    ended_[i] = &registry.counter("vigil_aggregator_connections_ended_total",
                                  "Connections ended that their clients had not ended, by the reason.",
                                  {{"port", port_}, {"reason", kEndings[i]}});
  }
}

void Tally::connected(std::size_t connections) {
  connections_.set(static_cast<double>(connections));
}

void Tally::say(Held& held, const std::string& sentence, const std::string& source, std::int64_t now_ms) {
  std::uint64_t more = 0;
  {
    const std::lock_guard lock(mutex_);
    if (held.said_ms != INT64_MIN && now_ms - held.said_ms < kSilenceMs) {
      ++held.more;
      return;
    }
    held.said_ms = now_ms;
    more = std::exchange(held.more, 0);
  }
  log::warn(port_, sentence, {{"source", source}, {"unsaid_before", more}});
}

void Tally::refused(Refusal why, const std::string& source, std::int64_t now_ms) {
  const auto index = static_cast<std::size_t>(why);
  refused_.at(index)->add();
  say(refusals_said_.at(index), sentence_of(why, port_), source, now_ms);
}

void Tally::ended(Ending why, const std::string& source, std::int64_t now_ms) {
  const auto index = static_cast<std::size_t>(why);
  if (ended_.at(index) == nullptr) return;
  ended_.at(index)->add();
  say(endings_said_.at(index), sentence_of(why), source, now_ms);
}

void Tally::stuck(const std::string& why) {
  if (!is_stuck_.exchange(true))
    log::warn(port_, "cannot accept connections: trying again", {{"error", why}});
}

void Tally::accepted() {
  if (is_stuck_.load(std::memory_order_relaxed) && is_stuck_.exchange(false))
    log::info(port_, "accepts connections again");
}

}  // namespace vigil::aggregator::door
