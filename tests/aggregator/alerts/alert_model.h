// What must hold of the alerts of one rule, in a few words of its own and from what was seen alone. It is
// told what happens and what alerts there are then; what must not be so it answers with a sentence.
//
// It remembers each evaluation and looks back. Where a stop or a kill loses what nobody promised to keep, it
// knows bounds instead: what may have happened, and what surely did.
#pragma once

#include "aggregator/alerts/alert.h"
#include "tests/aggregator/alerts/scenario.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::alerts::testing {

/// What is seen of a series: State::inactive when it has no alert.
struct Seen {
  State state = State::inactive;
  std::int64_t fired_s = 0;
  bool is_acknowledged = false;
};

/// What a start knows of how long a firing alert was false: what was so at the stop, or at some time before.
enum class Clocks : std::uint8_t { are_kept, may_be_stale };

class SeriesModel {
 public:
  explicit SeriesModel(Clocks clocks) : clocks_(clocks) {}

  const Seen& seen() const { return seen_; }

  void evaluate(Reading reading, bool others_speak, const Terms& terms, std::int64_t now_s);
  void reload(const Terms& terms);
  /// The clocks of pending alerts are on the disk.
  void store() { stored_to_ = log_.size(); }
  void kill();
  void start();
  void acknowledge() { acknowledged_ = true; }
  /// Of what began to fire then.
  bool may_have_flapped(std::int64_t fired_s) const {
    return std::ranges::find(flapped_s_, fired_s) != flapped_s_.end();
  }

  enum class After { evaluation, time, anything };
  /// "" when this may be so.
  std::string check(const Seen& seen, After what, const Terms& terms, std::int64_t now_s);

 private:
  /// One evaluation, and what it means.
  struct Saw {
    enum class Said { yes, no, unknown };
    std::int64_t t_s = 0;
    Said said = Said::unknown;
    bool is_missing = false;  // "yes", because there is no data
    bool maybe_true = false;  // often enough
    bool surely_true = false;
    bool maybe_false = false;  // and cleared
    bool surely_false = false;
    bool maybe_idle = false;  // not once among those that count
    bool surely_idle = false;
    bool was_lost = false;  // a kill came before it was stored
    bool is_first = false;  // since a start: of the time before it nobody knows
  };
  struct Range {
    std::int64_t least = 0;
    std::int64_t most = 0;
  };

  /// What a pending alert may or may not know of.
  struct Counts {
    bool lost_truth = false;     // evaluations before a kill that were true
    bool lost_gaps = false;      // and those without data
    bool coming_data = false;    // the time from missing data, which counts as true, to data that is
    std::int64_t kept_to_s = 0;  // what was lost until then was stored all the same, with something else
  };

  Saw::Said said_by(Reading reading, const Terms& terms) const;
  Range times_true(int of) const;
  std::int64_t seen_true_s(const Counts& counts) const;
  Range held_s() const;
  enum class Certainty { maybe, surely };
  std::optional<std::int64_t> false_since(Certainty certainty) const;
  bool is_over(Certainty certainty, const Terms& terms, std::int64_t now_s) const;
  bool is_gone(Certainty certainty, const Terms& terms, std::int64_t now_s) const;
  std::string began_wrongly(const Seen& seen, const Saw* last, const Terms& terms, std::int64_t now_s) const;
  std::string ended_wrongly(const Saw* last, const Terms& terms, std::int64_t now_s) const;
  std::string should_be_other(const Seen& seen, After what, const Terms& terms, std::int64_t now_s) const;
  void look_for_quiet(const Saw& saw, const Terms& terms);
  void adopt(const Seen& seen, After what, const Terms& terms, std::int64_t now_s);

  Clocks clocks_;
  std::vector<Saw> log_;
  Seen seen_;
  bool acknowledged_ = false;
  bool has_spoken_ = false;          // it had data, and the rules know
  bool others_speak_ = false;        // at the latest evaluation: it alone is missing
  std::size_t remembered_from_ = 0;  // what rules remember surely, in log_
  std::size_t started_at_ = 0;       // in log_
  bool fired_at_start_ = false;
  std::size_t stored_to_ = 0;  // its clock while it is pending, in log_
  // Flapping: when it began and ended, all that may count and all that surely do.
  std::vector<std::int64_t> maybe_changes_, sure_changes_;
  bool maybe_flaps_ = false;
  bool surely_flaps_ = false;
  std::int64_t changed_s_ = 0;
  std::vector<std::int64_t> flapped_s_;  // when those began to fire that may have flapped
};

}  // namespace vigil::alerts::testing
