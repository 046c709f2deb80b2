// Configuration: any bytes give a struct or errors, never a crash.
#include "common/config/fields.h"

#include <cstdint>
#include <string_view>

namespace vigil::config {

struct Inner {
  std::string name;
  std::int64_t count = 0;
};
void describe(Fields& fields, Inner& inner) {
  fields.required("name", inner.name, "");
  fields.field("count", inner.count, "");
}

struct Outer {
  std::chrono::milliseconds interval{};
  Bytes size;
  double ratio = 0;
  bool flag = false;
  std::map<std::string, Inner> by_name;
  std::vector<Inner> list;
};
void describe(Fields& fields, Outer& outer) {
  fields.field("interval", outer.interval, "");
  fields.field("size", outer.size, "");
  fields.field("ratio", outer.ratio, "");
  fields.field("flag", outer.flag, "");
  fields.field("by_name", outer.by_name, "");
  fields.field("list", outer.list, "");
}

}  // namespace vigil::config

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vigil::config::Outer outer;
  (void)vigil::config::load_text({reinterpret_cast<const char*>(data), size}, "fuzz.yml", outer);
  return 0;
}
