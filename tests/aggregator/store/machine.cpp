#include "tests/aggregator/store/machine.h"

#include "tests/aggregator/store/simulated_vfs.h"

namespace vigil::aggregator::testing {

HistoryOptions options_of(const SimulatedDisk& disk, const HistoryModel& model) {
  HistoryOptions options = test_options(disk.folder());
  options.vfs = simulated_vfs();
  options.keep.front().keep = options.keep.back().keep = std::chrono::hours(model.retention_ms / 3'600'000);
  options.now_ms = [&model] { return model.now_ms; };
  return options;
}

Problems open_and_check(const DiskImage& image, const HistoryModel& model) {
  const SimulatedDisk disk(image);
  const auto open = try_open_history(options_of(disk, model));
  if (!open) return {"open: " + open.error().message};
  return check_history(model, **open);
}

}  // namespace vigil::aggregator::testing
