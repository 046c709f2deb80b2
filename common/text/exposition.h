// The Prometheus text exposition format, version 0.0.4: what `vigil-agent --once` and `/metrics` print.
#pragma once

#include "common/series.h"

#include <span>
#include <string>
#include <string_view>

namespace vigil {

/// "1", "0.25", "+Inf", "NaN": the shortest text that reads back as the same double.
std::string format_value(double value);

/// `# HELP` (when there is one) and `# TYPE`, before a family's first sample.
void append_family(std::string& out, std::string_view name, std::string_view help, std::string_view type);

/// `name{labels} value`; `labels` without __name__.
void append_sample(std::string& out, std::string_view name, const Labels& labels, double value);
/// The same with labels in the order given, empty ones too.
void append_sample_as_is(std::string& out, std::string_view name, std::span<const LabelView> labels,
                         double value);

}  // namespace vigil
