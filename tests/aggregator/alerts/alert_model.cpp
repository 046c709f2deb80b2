#include "tests/aggregator/alerts/alert_model.h"

#include <algorithm>
#include <limits>

namespace vigil::alerts::testing {
namespace {

// As docs/rules.md has it: a gap longer than a minute does not count, nor does the time before a start; what
// is missing is gone after two minutes if others speak, else after an hour.
constexpr std::int64_t kLongestGap_s = 60;
constexpr std::int64_t kReplacedAfter_s = 120;
constexpr std::int64_t kGoneAfter_s = 3600;

int count_since(const std::vector<std::int64_t>& times, std::int64_t since_s) {
  return static_cast<int>(std::ranges::count_if(times, [since_s](std::int64_t t) { return t >= since_s; }));
}

}  // namespace

SeriesModel::Saw::Said SeriesModel::said_by(Reading reading, const Terms& terms) const {
  using Said = Saw::Said;
  if (reading != Reading::none) return reading == Reading::high ? Said::yes : Said::no;
  if (terms.on_no_data == rules::OnNoData::ok) return Said::no;
  const bool is_missed = has_spoken_ || seen_.state != State::inactive;
  return terms.on_no_data == rules::OnNoData::alert && is_missed ? Said::yes : Said::unknown;
}

void SeriesModel::evaluate(Reading reading, bool others_speak, const Terms& terms, std::int64_t now_s) {
  Saw saw;
  saw.t_s = now_s;
  saw.is_first = log_.size() == started_at_;
  saw.said = said_by(reading, terms);
  saw.is_missing = reading == Reading::none;
  if (reading != Reading::none) has_spoken_ = true;
  others_speak_ = others_speak;
  log_.push_back(saw);
  if (saw.said == Saw::Said::unknown) {
    if (is_gone(Certainty::maybe, terms, now_s))
      remembered_from_ = log_.size();  // rules may have let go of it
    return;
  }
  Saw& latest = log_.back();
  const auto before = std::find_if(log_.rbegin() + 1, log_.rend(),
                                   [](const Saw& other) { return other.said != Saw::Said::unknown; });
  // Rules without clear_for say once that it is cleared: what flaps is not held up then by less than that.
  const bool may_be_cleared =
      saw.said == Saw::Said::no && terms.keep_s == 0 && before != log_.rend() && before->maybe_false;
  const Range times = times_true(terms.of);
  const bool lasts = terms.clears && (saw.said == Saw::Said::yes || reading == Reading::middle);
  latest.surely_true = times.least >= terms.enough;
  latest.maybe_true = times.most >= terms.enough;
  latest.surely_false = !latest.maybe_true && !lasts;
  latest.maybe_false = !latest.surely_true && (!lasts || may_be_cleared);
  latest.surely_idle = times.most == 0;
  latest.maybe_idle = times.least == 0;
  look_for_quiet(latest, terms);
}

/// Of the last evaluations with data. After a start rules know nothing of those before, but that what fires
/// was true often enough; after a reload they may know none of them, or each as true.
SeriesModel::Range SeriesModel::times_true(int of) const {
  Range out;
  const Range forgotten = remembered_from_ > started_at_ ? Range{0, 1}
                          : fired_at_start_              ? Range{1, 1}
                                                         : Range{0, 0};
  for (std::size_t i = log_.size(); i-- > 0 && of > 0;) {
    if (log_[i].said == Saw::Said::unknown) continue;
    --of;
    const std::int64_t is_yes = log_[i].said == Saw::Said::yes ? 1 : 0;
    out.least += i < remembered_from_ ? forgotten.least : is_yes;
    out.most += i < remembered_from_ ? forgotten.most : is_yes;
  }
  if (remembered_from_ == 0) return out;
  return {out.least + of * forgotten.least, out.most + of * forgotten.most};
}

/// How long it was seen true, since it was last false.
std::int64_t SeriesModel::seen_true_s(const Counts& counts) const {
  std::int64_t sum = 0;
  const Saw* later = nullptr;
  bool has_gap = false;
  for (auto saw = log_.rbegin(); saw != log_.rend() && saw->said != Saw::Said::no; ++saw) {
    const bool is_unknown = saw->said == Saw::Said::unknown;
    const bool is_kept = saw->t_s <= counts.kept_to_s || (is_unknown ? counts.lost_gaps : counts.lost_truth);
    if (saw->was_lost && !is_kept) continue;
    if (is_unknown) {
      has_gap = true;
      continue;
    }
    if (later != nullptr) {
      const bool data_came = saw->is_missing && !later->is_missing;
      const std::int64_t step = later->t_s - saw->t_s;
      if (!has_gap && !later->is_first && step <= kLongestGap_s && (counts.coming_data || !data_came))
        sum += step;
    }
    later = &*saw;
    has_gap = false;
  }
  return sum;
}

/// The least and the most of it, whatever was lost.
SeriesModel::Range SeriesModel::held_s() const {
  Range out{std::numeric_limits<std::int64_t>::max(), 0};
  std::vector<std::int64_t> kept_to = {0};
  for (const Saw& saw : log_) {
    if (saw.was_lost) kept_to.push_back(saw.t_s);
  }
  for (const std::int64_t until_s : kept_to) {
    for (const unsigned bits : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U}) {
      const std::int64_t seen = seen_true_s({(bits & 1U) != 0, (bits & 2U) != 0, (bits & 4U) != 0, until_s});
      out = {std::min(out.least, seen), std::max(out.most, seen)};
    }
  }
  return out;
}

/// The first of the latest evaluations that all were false. Whose clocks may be stale need not know what was
/// before its start.
std::optional<std::int64_t> SeriesModel::false_since(Certainty certainty) const {
  std::optional<std::int64_t> since;
  const bool is_new = certainty == Certainty::surely && clocks_ == Clocks::may_be_stale;
  for (std::size_t i = log_.size(); i-- > (is_new ? started_at_ : 0);) {
    if (log_[i].said == Saw::Said::unknown) continue;
    const bool is_false = certainty == Certainty::surely ? log_[i].surely_false : log_[i].maybe_false;
    if (!is_false && i < started_at_ && clocks_ == Clocks::may_be_stale) continue;
    if (!is_false) break;
    since = log_[i].t_s;
  }
  return since;
}

/// A firing alert is over: false for as long as the rule says.
bool SeriesModel::is_over(Certainty certainty, const Terms& terms, std::int64_t now_s) const {
  const auto since = false_since(certainty);
  const bool must_be_quiet = certainty == Certainty::surely ? maybe_flaps_ : surely_flaps_;
  return since && now_s - *since >= std::max(terms.keep_s, must_be_quiet ? terms.within_s : 0);
}

/// Nobody waits for its data any more.
bool SeriesModel::is_gone(Certainty certainty, const Terms& terms, std::int64_t now_s) const {
  if (terms.on_no_data != rules::OnNoData::keep) return false;
  std::optional<std::int64_t> since;
  const std::size_t from = certainty == Certainty::surely ? started_at_ : 0;
  for (std::size_t i = log_.size(); i-- > from && log_[i].said == Saw::Said::unknown;) since = log_[i].t_s;
  return since && now_s - *since >= (others_speak_ ? kReplacedAfter_s : kGoneAfter_s);
}

void SeriesModel::reload(const Terms& terms) {
  remembered_from_ = log_.size();
  surely_flaps_ = false;
  sure_changes_.clear();
  if (!terms.exists) {
    log_.clear();
    remembered_from_ = started_at_ = stored_to_ = 0;
    has_spoken_ = false;
  }
}

void SeriesModel::kill() {
  if (seen_.state != State::pending) return;
  for (std::size_t i = stored_to_; i < log_.size(); ++i) log_[i].was_lost = true;
}

void SeriesModel::start() {
  remembered_from_ = started_at_ = log_.size();
  has_spoken_ = seen_.state != State::inactive;
  fired_at_start_ = seen_.state == State::firing;
  if (clocks_ == Clocks::may_be_stale) surely_flaps_ = false;
}

std::string SeriesModel::began_wrongly(const Seen& seen, const Saw* last, const Terms& terms,
                                       std::int64_t now_s) const {
  if (seen_.state == State::firing) return "fires anew without an end";
  if (last == nullptr) return "begins to fire without an evaluation";
  if (!last->maybe_true) return "begins to fire although it is false";
  if (held_s().most < terms.hold_s) return fmt::format("fires after {} s of {}", held_s().most, terms.hold_s);
  if (seen.fired_s != now_s) return "began to fire at another time than now";
  return {};
}

std::string SeriesModel::ended_wrongly(const Saw* last, const Terms& terms, std::int64_t now_s) const {
  if (!terms.exists || (last != nullptr && is_gone(Certainty::maybe, terms, now_s))) return {};
  if (seen_.state == State::firing)
    return is_over(Certainty::maybe, terms, now_s) ? "" : "is over without a reason";
  return last != nullptr && last->maybe_idle ? "" : "is pending no more without a reason";
}

/// What was lost: an alert that should be there, should fire or should be over.
std::string SeriesModel::should_be_other(const Seen& seen, After what, const Terms& terms,
                                         std::int64_t now_s) const {
  if (!terms.exists) return seen.state == State::inactive ? "" : "is there without its rule";
  const bool was_there = seen_.state != State::inactive;
  const bool goes_on = seen.state == seen_.state && was_there;
  if (what == After::evaluation) {
    const Saw& last = log_.back();
    if (last.said == Saw::Said::yes && seen.state == State::inactive && seen_.state != State::firing)
      return "is true, and there is no alert";
    const bool is_due = last.surely_true && held_s().least >= terms.hold_s;
    if (is_due && (was_there || last.said == Saw::Said::yes) && seen.state != State::firing)
      return fmt::format("does not fire after {} s of {}", held_s().least, terms.hold_s);
    if (seen.state == State::pending && last.surely_idle) return "is pending, and false";
    const bool is_kept_firing = false_since(Certainty::maybe).has_value();
    if (goes_on && !is_kept_firing && is_gone(Certainty::surely, terms, now_s))
      return "is there, and its series is gone";
  }
  // Rules say once that it is false, and forget it; what is kept firing then ends by time.
  const bool ends_at_once = what == After::evaluation && terms.keep_s == 0 && !maybe_flaps_ &&
                            log_.back().surely_false && false_since(Certainty::maybe) == now_s;
  const bool ends_now = what == After::time || ends_at_once;
  if (ends_now && goes_on && seen.state == State::firing && is_over(Certainty::surely, terms, now_s))
    return "fires, and should be over";
  return {};
}

std::string SeriesModel::check(const Seen& seen, After what, const Terms& terms, std::int64_t now_s) {
  const Saw* last = what == After::evaluation ? &log_.back() : nullptr;
  const bool is_same =
      seen.state == seen_.state && (seen.state != State::firing || seen.fired_s == seen_.fired_s);
  std::string wrong;
  if (!is_same && seen.state == State::firing) {
    wrong = began_wrongly(seen, last, terms, now_s);
  } else if (!is_same && seen.state == State::pending) {
    if (seen_.state == State::firing) wrong = "is pending, and was firing";
    if (last == nullptr || last->said != Saw::Said::yes) wrong = "becomes pending although it is not true";
  } else if (!is_same) {
    wrong = ended_wrongly(last, terms, now_s);
  }
  if (wrong.empty()) wrong = should_be_other(seen, what, terms, now_s);
  if (wrong.empty() && is_same && seen.is_acknowledged != acknowledged_) wrong = "forgot who looks after it";
  adopt(seen, what, terms, now_s);
  return wrong;
}

/// One that flaps and is true for long without a change flaps no more.
void SeriesModel::look_for_quiet(const Saw& saw, const Terms& terms) {
  if (!surely_flaps_ || !saw.maybe_true) return;
  for (std::size_t i = log_.size() - 1; i-- > 0;) {
    if (log_[i].said == Saw::Said::unknown) continue;
    if (log_[i].surely_false) changed_s_ = saw.t_s;
    break;
  }
  if (saw.t_s - changed_s_ >= terms.within_s) surely_flaps_ = false;
}

void SeriesModel::adopt(const Seen& seen, After what, const Terms& terms, std::int64_t now_s) {
  const bool was_firing = seen_.state == State::firing;
  const bool began = seen.state == State::firing && !was_firing;
  const bool ended = seen.state == State::inactive && seen_.state != State::inactive;
  if (seen.state != seen_.state) store();
  if (began || (ended && was_firing)) maybe_changes_.push_back(now_s);
  if (began) {
    sure_changes_.push_back(now_s);
    const std::int64_t since = now_s - terms.within_s;
    maybe_flaps_ = terms.changes > 0 && count_since(maybe_changes_, since) >= terms.changes;
    surely_flaps_ = terms.changes > 0 && count_since(sure_changes_, since) >= terms.changes;
    changed_s_ = now_s;
    if (maybe_flaps_) flapped_s_.push_back(now_s);
  }
  if (ended) {
    if (maybe_flaps_) {
      sure_changes_.clear();
    } else if (was_firing) {
      sure_changes_.push_back(now_s);
    }
    maybe_flaps_ = surely_flaps_ = acknowledged_ = false;
  }
  const bool is_missing =
      what == After::evaluation && !log_.empty() && log_.back().said == Saw::Said::unknown;
  const bool is_over_and_gone =
      seen.state == State::inactive && is_missing && (ended || is_gone(Certainty::surely, terms, now_s));
  if (is_over_and_gone) {  // nobody remembers it
    log_.clear();
    remembered_from_ = started_at_ = stored_to_ = 0;
  }
  seen_ = seen;
}

}  // namespace vigil::alerts::testing
