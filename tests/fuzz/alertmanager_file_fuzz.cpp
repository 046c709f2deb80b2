// alertmanager.yml: any bytes give a configuration or errors with their place, and what is a configuration
// routes any alert, and answers at any time.
#include "aggregator/routing/configuration.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace vigil;

/// What a matcher is written as must be read back as the same.
void read_back(const matchers::Matchers& matchers) {
  const std::string text = matchers::to_string(matchers);
  const auto again = matchers::parse_matchers(text);
  if (!again || matchers::to_string(again->matchers) != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto parsed = matchers::parse_matchers(text)) read_back(parsed->matchers);
  static calendar::Zones zones("/nowhere");  // only UTC: what a machine has must not decide
  const auto read = routing::read_configuration(text, "fuzz.yml", zones);
  if (!read) return 0;
  read->root.walk([](const routing::Route& route) { read_back(route.matchers); });
  routing::Inhibitions inhibitions(read->inhibit_rules);
  for (const Labels& labels : {Labels{}, Labels{{"a", "1"}, {"severity", "critical"}}}) {
    for (const std::int64_t t : {0, 1'774'746'000, 1'792'890'000}) {
      const auto to = read->root.match(labels);
      if (to.empty()) std::abort();
      for (const routing::Route* route : to) {
        if (route->group_key(route->group_labels(labels)).empty()) std::abort();
        static_cast<void>(mute_of(*route, read->calendars, calendar::sys_seconds(calendar::seconds(t))));
      }
    }
    inhibitions.add_firing("1", labels);
    static_cast<void>(inhibitions.inhibitor_of(labels));
  }
  return 0;
}
