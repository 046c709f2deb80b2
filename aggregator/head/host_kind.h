// Hosts whose samples no agent sends: what senders push by remote_write, and what recording rules compute.
//
// They are hosts like any other (a shard owns them, the journal, the history and limits know them) with three
// differences: their series have exactly the labels they came with, no `instance`, `job` or host label is
// added; nobody judges their presence, so they have no `up`; and a sample that is not there says nothing:
// only a staleness marker ends a series, as with Prometheus. What kind a host is, its name says: agents'
// names have no '/'.
#pragma once

#include "aggregator/store/records.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::aggregator {

enum class HostKind : std::uint8_t { agent, remote_write, rules };

inline constexpr std::string_view kRemoteWritePrefix = "remote_write/";
inline constexpr std::string_view kRulesPrefix = "rules/";
/// Of the aggregator's own figures, computed here as what rules record is; takes no other host's place.
inline constexpr std::string_view kOwnHost = "rules/vigil itself";

constexpr HostKind kind_of(std::string_view host_name) {
  if (host_name.starts_with(kRemoteWritePrefix)) return HostKind::remote_write;
  if (host_name.starts_with(kRulesPrefix)) return HostKind::rules;
  return HostKind::agent;
}

/// "agent", "remote_write", "rules": as in tables and JSON.
constexpr std::string_view to_string(HostKind kind) {
  switch (kind) {
    case HostKind::remote_write:
      return "remote_write";
    case HostKind::rules:
      return "rules";
    case HostKind::agent:
      break;
  }
  return "agent";
}

/// The name in the history of source `number` of such a host; 0: it is none.
SourceKey pushed_source(HostKind kind, std::uint16_t number);
std::uint16_t pushed_number(HostKind kind, const SourceKey& source);

}  // namespace vigil::aggregator
