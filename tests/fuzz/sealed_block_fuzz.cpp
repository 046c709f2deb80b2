// Opens the bytes as a sealed block, once as they are and once with a checksum that fits, and reads all that
// opens.
#include "aggregator/blocks/block.h"
#include "tests/aggregator/blocks/generate.h"

#include <cstdlib>

namespace {

using vigil::aggregator::SealedBlock;

void read_all(const SealedBlock& block) {
  const auto decoded = block.decode();
  for (std::size_t i = 0; i < block.series().size() && i < 64; ++i) (void)block.column(i);
  if (!decoded) return;
  // What decodes must survive another round.
  const auto again = SealedBlock::open(vigil::aggregator::seal(*decoded));
  if (!again) std::abort();
  const auto decoded_again = (*again)->decode();
  if (!decoded_again || !vigil::aggregator::testing::equal(*decoded, *decoded_again)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (const auto block = SealedBlock::open(bytes)) read_all(**block);
  vigil::aggregator::testing::repair_checksum(bytes);
  const auto block = SealedBlock::open(std::move(bytes));
  if (block && block.value()->rows() * block.value()->series().size() < 1'000'000) read_all(**block);
  return 0;
}
