// A silence from outside: any bytes posted as one give a silence or an error, and a silence is stored, read
// back as the same, and asked about any alert.
#include "aggregator/api/alertmanager.h"
#include "aggregator/silences/silence_json.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace vigil;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static calendar::Zones zones("/nowhere");  // only UTC: what a machine has must not decide
  static_cast<void>(silences::decode_silence(text, zones));
  auto silence = aggregator::api::parse_silence(text);
  if (!silence) return 0;
  silence->id = "1";
  static_cast<void>(silence->mutes(Labels{{"a", "1"}}, silence->starts_ms));
  static_cast<void>(silence->next_change_ms(0));
  if (!silences::check(*silence)) return 0;
  const std::string stored = silences::encode(*silence);
  const auto again = silences::decode_silence(stored, zones);
  if (!again || silences::encode(*again) != stored) std::abort();
  return 0;
}
