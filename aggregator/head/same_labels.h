// One label set on several hosts: an agent's series and one that is pushed with the same labels, or two rules
// that record the same. Whoever asks shall see it once. Pure.
#pragma once

#include "aggregator/head/slice.h"
#include "aggregator/promql/storage.h"

#include <span>
#include <vector>

namespace vigil::aggregator {

/// Whether a label set may be in two slices. Agents' series are told apart by `instance`, and remote_write
/// has one host for each label set: only where kinds meet, or rules do, is there anything to look at.
bool share_labels(std::span<const HostSlice> slices);

/// Makes series of one label set one: the points of all, of one time the first.
void join_same_labels(std::vector<promql::SelectedSeries>& series);

}  // namespace vigil::aggregator
