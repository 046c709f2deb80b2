#include "aggregator/head/host_kind.h"

#include <fmt/format.h>

#include <charconv>

namespace vigil::aggregator {

SourceKey pushed_source(HostKind kind, std::uint16_t number) {
  return {fmt::format("{}#{}", to_string(kind), number), 1000};
}

std::uint16_t pushed_number(HostKind kind, const SourceKey& source) {
  std::string_view name = source.job;
  const std::string_view prefix = to_string(kind);
  if (!name.starts_with(prefix) || !name.substr(prefix.size()).starts_with('#')) return 0;
  name.remove_prefix(prefix.size() + 1);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? number : std::uint16_t{0};
}

}  // namespace vigil::aggregator
