// Randomness at hand, from /proc/sys/kernel/random (random(4)). Since Linux 5.18 both are 256 once the
// generator is seeded.
#include "agent/collectors/table.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

namespace vigil::agent {
namespace {

constexpr Family kAvailable{"node_entropy_available_bits", "Bits of randomness at hand."};
constexpr Family kPool{"node_entropy_pool_size_bits", "Bits of randomness the pool can hold."};

class EntropyCollector final : public Collector {
 public:
  explicit EntropyCollector(const CollectorOptions& options)
      : available_(options.roots.procfs + "/sys/kernel/random/entropy_avail"),
        pool_(options.roots.procfs + "/sys/kernel/random/poolsize") {}

  std::string_view name() const override { return "entropy"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(30); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    for (const auto& [file, family] : {std::pair{&available_, &kAvailable}, std::pair{&pool_, &kPool}}) {
      const auto content = file->read();
      if (!content) return content.error();
      if (content->empty()) return fail(Errc::unsupported, "{}: not there", file->path());
      const auto bits = parse_integer(trim(whole_lines(*content)));
      if (!bits) return fail(Errc::parse, "{}: expected a number", file->path());
      sheet.put(*family, *bits);
    }
    return {};
  }

 private:
  OptionalFile available_;
  OptionalFile pool_;
};

}  // namespace

std::unique_ptr<Collector> make_entropy(const CollectorOptions& options) {
  return std::make_unique<EntropyCollector>(options);
}

}  // namespace vigil::agent
