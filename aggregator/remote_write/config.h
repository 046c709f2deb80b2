// The `remote_write:` part of the aggregator's configuration.
#pragma once

#include "common/config/fields.h"

#include <chrono>
#include <cstdint>

namespace vigil::aggregator::remote_write {

struct RemoteWriteConfig {
  bool enabled = true;
  config::Bytes max_request{4 << 20};
  config::Bytes max_uncompressed{32 << 20};
  std::uint32_t max_series = 50'000;
  std::uint32_t max_samples = 500'000;
  std::uint32_t max_labels = 64;
  std::uint32_t max_label_name = 256;
  std::uint32_t max_label_value = 2048;
  std::uint32_t max_rate = 500'000;
  std::uint32_t max_new_series = 200'000;
  std::uint32_t max_hosts = 5000;
  std::chrono::milliseconds out_of_order{7'200'000};
};
void describe(config::Fields& fields, RemoteWriteConfig& remote_write);

}  // namespace vigil::aggregator::remote_write
