// A run of an action: who asked for it, what became of it, and what it was good for.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::actions {

/// Why an action is asked for.
enum class Trigger : std::uint8_t { firing, resolved, manual, maintenance };
std::string_view to_string(Trigger trigger);

enum class RunState : std::uint8_t {
  needs_approval,
  queued,  // others of its action run
  running,
  succeeded,
  failed,
  unknown,    // it began, and nobody knows how it ended
  dry_run,    // it would have run
  skipped,    // cooldown, or too many within the hour
  rejected,   // somebody decided so
  expired,    // nobody decided in time
  cancelled,  // its alert was over before
};
/// "needs_approval", "queued", ...: as in the API, tables and meta.db.
std::string_view to_string(RunState state);

/// What a run is about.
struct Subject {
  std::string host;         // "" for none
  std::string fingerprint;  // of the alert; "" for none
  std::string alert;        // its name
  Labels labels;
  Labels annotations;
  double value = 0;
};

/// How a run ended.
struct Outcome {
  RunState state = RunState::unknown;  // succeeded, failed or unknown
  std::string reason;                  // "exit status 3"; "" when it succeeded
  std::optional<int> code;             // exit status, or status of HTTP
  std::string output;                  // UTF-8, at most kMostOutputBytes
  bool is_output_cut = false;
  bool has_not_begun = false;  // it could not: neither cooldown nor limit count it
};
inline constexpr std::size_t kMostOutputBytes = 8'192;

/// All times are Unix milliseconds, 0 where it has not come to that.
struct Run {
  std::string id;           // a UUID
  std::int64_t number = 0;  // grows in the order they are asked for
  std::string action;
  Trigger trigger = Trigger::firing;
  Subject subject;
  RunState state = RunState::queued;
  std::string reason;   // why it is so
  std::string author;   // who asked for it by hand, or decided about it
  std::string comment;  // what they said
  std::int64_t created_ms = 0;
  std::int64_t started_ms = 0;
  std::int64_t ended_ms = 0;
  Outcome outcome;
  std::string effect;  // PromQL, expanded; "": nothing is measured
  std::optional<double> before;
  std::optional<double> after;
  std::int64_t measure_at_ms = 0;
  bool is_measured = false;

  bool has_begun() const { return started_ms != 0; }
  /// Nothing more happens to it, but that its effect is measured.
  bool is_over() const;
};

/// JSON for meta.db. Errc::parse on what is none.
std::string encode(const Run& run);
Result<Run> decode_run(std::string_view body);

/// What a webhook is sent, and what a program has on its standard input: JSON, version 1.
std::string payload_of(const Run& run);
/// The environment of a program.
std::vector<std::string> environment_of(const Run& run);

/// The beginning of its id that people read and type.
std::string_view short_id(const Run& run);

/// "succeeded", "needs approval: vigil actions approve 6f0c0a83", "failed: exit status 3; 9.5 before, 0.5
/// after"
std::string sentence_of(const Run& run);
/// "; by ada: before the rush": who asked for it by hand, or decided about it; "" when nobody did.
std::string author_of(const Run& run);
/// "14:00:05 UTC: succeeded; by ada: before the rush": for lists of what was done.
std::string entry_of(const Run& run);

}  // namespace vigil::actions
