#include "tests/aggregator/alerts/scenario.h"

#include <algorithm>
#include <array>
#include <map>
#include <random>

namespace vigil::alerts::testing {
namespace {

using rules::OnNoData;

constexpr std::string_view kReadings = "Hml.";
constexpr std::array<std::string_view, 9> kActs = {
    "wait", "evaluate", "silence", "expire", "acknowledge", "reload", "stop", "kill", "kill within"};
constexpr std::string_view kLines = "osa";

std::string_view word(OnNoData what) {
  return what == OnNoData::keep ? "keep" : what == OnNoData::ok ? "ok" : "alert";
}

/// The keys of the rule besides its name and expression.
std::string keys_of(const Terms& terms) {
  std::string out;
  if (terms.hold_s > 0) out += fmt::format(", for: {}s", terms.hold_s);
  if (terms.clears) out += fmt::format(", clear: {}", kClear);
  if (terms.keep_s > 0)
    out += fmt::format(", {}: {}s", terms.clears ? "clear_for" : "keep_firing_for", terms.keep_s);
  if (terms.of > 1) out += fmt::format(", times: {} of {}", terms.enough, terms.of);
  if (terms.on_no_data != OnNoData::keep) out += fmt::format(", on_no_data: {}", word(terms.on_no_data));
  if (terms.changes > 0) out += fmt::format(", flapping: {} in {}s", terms.changes, terms.within_s);
  return out;
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }
  bool percent(std::size_t chance) { return below(100) < chance; }
  template <class T, std::size_t N>
  T one_of(const std::array<T, N>& values) {
    return values[below(N)];
  }

 private:
  std::mt19937_64 random_;
};

/// Makes the steps of one scenario.
class Maker {
 public:
  explicit Maker(std::uint64_t seed) : dice_(seed) { out_.seed = seed; }

  Scenario make() {
    out_.series = 1 + dice_.below(4);
    // What a rule remembers by, and what its alerts are, does not change by a reload.
    has_times_ = dice_.percent(25);
    terms_.on_no_data = dice_.percent(20) ? OnNoData::alert : OnNoData::keep;
    terms_.clears = dice_.percent(30);
    terms_.is_critical = dice_.percent(50);
    terms_ = other_terms();
    out_.terms = terms_;
    readings_.assign(out_.series, Reading::low);
    lines_.assign(kReceivers, Line::open);
    const std::size_t steps = 10 + dice_.below(21);
    for (std::size_t i = 0; i < steps; ++i) add(next_act());
    end();
    return std::move(out_);
  }

 private:
  Terms other_terms() {
    Terms terms = terms_;
    terms.exists = true;
    terms.hold_s = has_times_ ? 0 : dice_.one_of(std::array{0, 0, 5, 10, 30, 90});
    terms.keep_s = dice_.one_of(std::array{0, 0, 10, 30});
    terms.of = has_times_ ? dice_.one_of(std::array{2, 3, 5}) : 1;
    terms.enough = has_times_ ? 1 + static_cast<int>(dice_.below(static_cast<std::size_t>(terms.of))) : 1;
    if (terms.on_no_data != OnNoData::alert)
      terms.on_no_data = dice_.percent(25) ? OnNoData::ok : OnNoData::keep;
    terms.changes = dice_.percent(20) ? dice_.one_of(std::array{3, 4, 5}) : 0;
    terms.within_s = terms.changes > 0 ? dice_.one_of(std::array{40, 120}) : 0;
    return terms;
  }

  Act next_act() {
    constexpr std::array<std::pair<Act, std::size_t>, 9> kChances = {{{Act::evaluate, 62},
                                                                      {Act::wait, 4},
                                                                      {Act::silence, 6},
                                                                      {Act::expire, 4},
                                                                      {Act::acknowledge, 4},
                                                                      {Act::reload, 5},
                                                                      {Act::stop, 5},
                                                                      {Act::kill, 6},
                                                                      {Act::kill_within, 4}}};
    std::size_t left = dice_.below(100);
    for (const auto& [act, chance] : kChances) {
      if (left < chance) return act;
      left -= chance;
    }
    return Act::wait;
  }

  void add(Act act) {
    Step step;
    step.act = act;
    // Below a day in all: then missing data is forgotten.
    const std::int64_t pause = dice_.percent(8) ? dice_.one_of(std::array{61, 125, 600, 3700})
                                                : dice_.one_of(std::array{1, 5, 5, 10, 10, 10, 15, 30});
    const bool takes_time = act == Act::evaluate || act == Act::kill_within || act == Act::wait;
    step.after_s = takes_time || dice_.percent(30) ? pause : 0;
    for (Reading& reading : readings_) {
      if (!dice_.percent(60)) reading = next_reading();
    }
    step.readings = readings_;
    step.all_work = dice_.percent(70);
    step.series = dice_.percent(40) ? kAllSeries : dice_.below(out_.series);
    step.for_s = dice_.one_of(std::array{5, 20, 60, 300});
    if (act == Act::acknowledge && step.series == kAllSeries) step.series = 0;
    if (act == Act::reload || (is_start(act) && dice_.percent(10))) {
      terms_ = other_terms();
      terms_.exists = dice_.percent(70);
    }
    step.terms = terms_;
    for (Line& line : lines_)
      line = dice_.percent(70) ? Line::open : dice_.percent(50) ? Line::slow : Line::away;
    step.lines = lines_;
    out_.steps.push_back(std::move(step));
  }

  static bool is_start(Act act) { return act == Act::stop || act == Act::kill || act == Act::kill_within; }

  Reading next_reading() {
    const std::size_t side = dice_.below(100);
    if (side < 50) return Reading::high;
    return side < 60 ? Reading::middle : side < 85 ? Reading::low : Reading::none;
  }

  /// All is well for so long that everything must be over, and everybody takes what they are told.
  void end() {
    readings_.assign(out_.series, Reading::low);
    for (const std::int64_t after_s : {1, 130, 130}) {
      Step step;
      step.after_s = after_s;
      step.act = Act::evaluate;
      step.readings = readings_;
      step.terms = terms_;
      step.lines.assign(kReceivers, Line::open);
      for (int again = 0; again < 6; ++again) {  // `times` looks back
        out_.steps.push_back(step);
        step.after_s = 1;
      }
    }
  }

  Dice dice_;
  Scenario out_;
  bool has_times_ = false;
  Terms terms_;
  std::vector<Reading> readings_;
  std::vector<Line> lines_;
};

std::string letters(const std::vector<Reading>& readings) {
  std::string out;
  for (const Reading reading : readings) out += kReadings[static_cast<std::size_t>(reading)];
  return out;
}

std::string to_string(const Step& step) {
  std::string out = fmt::format("+{:<5}{}", step.after_s, kActs[static_cast<std::size_t>(step.act)]);
  const std::string which = step.series == kAllSeries ? "all" : fmt::format("{}", step.series);
  if (step.act == Act::evaluate || step.act == Act::kill_within)
    out += fmt::format(" {}{}", letters(step.readings), step.all_work ? "" : ", a collector fails");
  if (step.act == Act::silence) out += fmt::format(" {} for {}s", which, step.for_s);
  if (step.act == Act::acknowledge) out += " " + which;
  if (step.act >= Act::reload) out += "; " + to_string(step.terms);
  out += "; lines ";
  for (const Line line : step.lines) out += kLines[static_cast<std::size_t>(line)];
  return out;
}

}  // namespace

rules::RuleSetPtr rules_of(const Terms& terms) {
  static std::map<std::string, rules::RuleSetPtr> made;
  const std::string text =
      terms.exists ? fmt::format(
                         "groups: [{{name: g, interval: 1s, rules: [{{alert: Hot, expr: heat > {}, "
                         "labels: {{severity: {}}}, annotations: {{summary: 'at {{{{ $value "
                         "}}}}'}}{}}}]}}]",
                         kThreshold, terms.is_critical ? "critical" : "warning", keys_of(terms))
                   : std::string("groups: []");
  rules::RuleSetPtr& found = made[text];
  if (found) return found;
  rules::RulesConfig config;
  config.preset = rules::Preset::none;
  auto set = rules::RuleSet::load_texts({{"rules.yml", text}}, config, {}, "https://vigil.example");
  if (set) found = *set;
  return found;
}

Scenario make_scenario(std::uint64_t seed) {
  return Maker(seed).make();
}

std::string to_string(const Terms& terms) {
  if (!terms.exists) return "no rule";
  return fmt::format("heat > {}, {}{}", kThreshold, terms.is_critical ? "critical" : "warning",
                     keys_of(terms));
}

std::string to_string(const Scenario& scenario) {
  std::string out = fmt::format("VIGIL_SEED={}: {} series; {}\n", scenario.seed, scenario.series,
                                to_string(scenario.terms));
  std::size_t number = 0;
  for (const Step& step : scenario.steps) out += fmt::format("{:>3} {}\n", number++, to_string(step));
  return out;
}

}  // namespace vigil::alerts::testing
