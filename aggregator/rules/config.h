// The `rules:` part of the aggregator's configuration.
#pragma once

#include "aggregator/rules/expectations.h"
#include "common/config/fields.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::rules {

enum class Preset : std::uint8_t { none, development, staging, production };
std::string_view to_string(Preset preset);

/// Changes one shipped (or any other) rule without copying its file.
struct Override {
  std::string alert;     // the rules of this name ...
  std::string severity;  // ... and, unless empty, only those of this severity
  std::string group;     // ... and, unless empty, only those of this group
  std::optional<double> threshold;
  std::optional<std::chrono::milliseconds> hold;  // `for`
  std::optional<std::chrono::milliseconds> keep_firing_for;
  std::optional<std::string> expr;
  std::map<std::string, std::string> labels;  // set; an empty value removes the label
  std::map<std::string, std::string> annotations;
  bool disabled = false;
  config::Value at;  // where it is written, for messages
};
void describe(config::Fields& fields, Override& change);

/// Whether an alert without data is kept, as on a running aggregator, or over, as in Prometheus.
enum class MissingData : std::uint8_t { keeps, ends };

struct RulesConfig {
  Preset preset = Preset::production;
  std::vector<std::string> files;
  std::chrono::milliseconds interval = std::chrono::seconds(5);  // for groups that name none
  std::map<std::string, std::string> external_labels;
  std::vector<Override> overrides;
  std::vector<ExpectedContainers> expected_containers;
  std::vector<SteadySeries> steady_series;
  MissingData missing = MissingData::keeps;  // no key: for tests of rule files
  config::Place at;                          // for messages
};
void describe(config::Fields& fields, RulesConfig& rules);

}  // namespace vigil::rules
