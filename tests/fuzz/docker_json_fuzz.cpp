// What a container runtime may answer. The first byte chooses the document; 'l' (a listing) and 'i' (an
// inspection) also go through the roster, as they would in a session.
#include "agent/containers/docker_json.h"
#include "agent/containers/roster.h"

#include <cstdint>
#include <string_view>

namespace {

using namespace vigil::agent;

void follow(std::string_view listing, std::string_view inspection) {
  Roster roster("docker");
  if (const auto listed = parse_container_list(listing)) roster.apply(*listed, 1);
  if (const auto inspected = parse_inspect(inspection)) roster.apply(*inspected);
  if (const auto event = parse_event(inspection)) roster.apply(*event);
  roster.take_to_inspect();
  roster.apply(std::vector<ListedContainer>{}, 10'000);
  (void)roster.containers();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'v':
      (void)parse_version(text);
      break;
    case 'e':
      (void)parse_event(text);
      break;
    case 't':
      (void)parse_rfc3339_ms(text);
      break;
    case 'i':
      follow("[]", text);
      break;
    case 'l':
      follow(text, "{}");
      break;
    default: {  // a listing, a zero byte, an inspection
      const std::size_t end = std::min(text.find('\0'), text.size());
      follow(text.substr(0, end), text.substr(std::min(end + 1, text.size())));
    }
  }
  return 0;
}
