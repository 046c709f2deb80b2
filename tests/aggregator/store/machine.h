// A history on a simulated machine, as the tests of power cuts and failing disks start it.
#pragma once

#include "tests/aggregator/store/power_cut.h"
#include "tests/aggregator/store/workload.h"

namespace vigil::aggregator::testing {

/// `model` gives retention and time, and outlives the history.
HistoryOptions options_of(const SimulatedDisk& disk, const HistoryModel& model);

/// Switches a machine on and compares what is there.
Problems open_and_check(const DiskImage& image, const HistoryModel& model);

}  // namespace vigil::aggregator::testing
