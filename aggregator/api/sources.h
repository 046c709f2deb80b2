// What the API answers from. All of it outlives the API; everything may be called from any thread.
#pragma once

#include "aggregator/access/audit.h"
#include "aggregator/alerts/listing.h"
#include "aggregator/http/cors.h"
#include "aggregator/serve/query_engine.h"
#include "aggregator/serve/reload_report.h"
#include "aggregator/silences/silence_book.h"
#include "aggregator/store/history.h"
#include "common/error.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::api {

/// What does not change while the program runs.
struct Facts {
  std::int64_t started_ms = 0;
  std::string version;
  std::string working_directory;
  std::string external_url;                  // how people reach us; "": nobody said
  std::string storage_retention;             // "30d"
  std::map<std::string, std::string> flags;  // of the command line, by name
};

/// What became of the configuration when it was read last.
struct ConfigState {
  std::string yaml;  // as it was written, secrets replaced
  bool reload_ok = true;
  std::int64_t loaded_ms = 0;     // the one in force
  std::string reload_error = {};  // why the last reload failed
};

/// What a sender said of a metric: remote_write brings it beside the samples.
struct ToldMetadata {
  std::string type;  // "histogram"
  std::string help;
  std::string unit;
};

/// Told what became of a reload.
using Reloaded = std::function<void(const Result<ReloadReport>&)>;

struct ApiSources {
  QueryEngine& engine;
  std::function<std::int64_t()> now_ms = {};
  std::function<std::vector<alerts::AlertInfo>()> alerts = {};
  std::function<std::vector<alerts::RuleInfo>()> rules = {};
  std::function<std::shared_ptr<const silences::SilenceBook>()> silences = {};
  // These may block for a moment: they answer when it is on the disk.
  std::function<Result<std::string>(silences::Silence)> put_silence = {};
  std::function<Result<void>(std::string id)> expire_silence = {};
  std::function<std::vector<std::string>()> receivers = {};  // names of those who are told
  std::function<HistoryStats()> history = {};                // empty: there is no history
  std::function<ConfigState()> config = {};
  std::function<std::optional<ToldMetadata>(std::string_view metric)> told_metadata = {};  // may be empty
  /// Has the configuration read again where that belongs, and answers then.
  std::function<void(access::Actor who, Reloaded)> reload = {};
  access::Audit* audit = nullptr;  // where changes are noted; null: nowhere
  /// "" when the aggregator takes samples and answers, otherwise the reason.
  std::function<std::string()> readiness = {};
  http::Cors cors = {};
  std::function<Labels()> external_labels = {};  // of the rules in force
  Facts facts = {};
};

}  // namespace vigil::aggregator::api
