#include "agent/collectors/table.h"

#include <array>

namespace vigil::agent {

// Each is defined in the source file of its name; declared here so that a new collector touches two files.
using Made = std::unique_ptr<Collector>;
Made make_cpu(const CollectorOptions& options);

namespace {

constexpr std::array kTable = {
    CollectorEntry{"cpu", "CPU seconds per core and mode", make_cpu},
};

}  // namespace

std::span<const CollectorEntry> collector_table() { return kTable; }

}  // namespace vigil::agent
