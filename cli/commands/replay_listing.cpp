#include "cli/commands/replay_listing.h"

#include "cli/commands/figures.h"
#include "common/text/human.h"

#include <algorithm>
#include <map>
#include <set>

namespace vigil::cli {
namespace {

constexpr std::size_t kShown = 5;  // label sets named in a cell of the table

using LabelSet = std::map<std::string, std::string>;

LabelSet labels_of(const v1::ReplayedAlert& alert) {
  return {alert.labels().begin(), alert.labels().end()};
}

std::string severity_of(const v1::ReplayedRule& rule) {
  const auto found = rule.labels().find("severity");
  return found == rule.labels().end() ? "" : found->second;
}

/// Names label sets in short: by the host, by labels that are not the rule's own, and by all that tell the
/// label sets of rules of one name and severity apart.
class Places {
 public:
  explicit Places(const v1::ReplayResult& result) {
    std::map<Key, std::vector<LabelSet>> sets;
    for (const auto& rule : result.rules()) {
      for (const auto& alert : rule.alerts()) sets[key_of(rule)].push_back(labels_of(alert));
    }
    for (const auto& [key, all] : sets) differing_[key] = differing(all);
  }

  std::string of(const v1::ReplayedAlert& alert, const v1::ReplayedRule& rule) const {
    const LabelSet labels = labels_of(alert);
    const std::set<std::string>& telling = differing_.at(key_of(rule));
    std::string text = join(labels, [&](const std::string& name) {
      return telling.contains(name) || (name != "job" && !rule.labels().contains(name));
    });
    if (text.empty())
      text = join(labels, [&](const std::string& name) { return !rule.labels().contains(name); });
    return text.empty() ? "-" : text;
  }

 private:
  using Key = std::pair<std::string, std::string>;
  static Key key_of(const v1::ReplayedRule& rule) { return {rule.name(), severity_of(rule)}; }

  /// Names that not all of them have, or not with the same value.
  static std::set<std::string> differing(const std::vector<LabelSet>& all) {
    std::map<std::string, std::map<std::string, std::size_t>> counts;
    for (const LabelSet& labels : all) {
      for (const auto& [name, value] : labels) ++counts[name][value];
    }
    std::set<std::string> names;
    for (const auto& [name, values] : counts) {
      if (values.begin()->second != all.size()) names.insert(name);
    }
    return names;
  }

  /// "web-1 mountpoint=/data"; the name of the alert stands elsewhere.
  template <class Wanted>
  static std::string join(const LabelSet& labels, Wanted wanted) {
    std::string text;
    if (const auto instance = labels.find("instance"); instance != labels.end()) text = instance->second;
    for (const auto& [name, value] : labels) {
      if (name == "instance" || name == "alertname" || !wanted(name)) continue;
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
    }
    return text;
  }

  std::map<Key, std::set<std::string>> differing_;
};

std::string length(std::int64_t ms) {
  return ms == 0 ? "" : format_age(std::chrono::milliseconds(ms));
}

/// "web-1 3x 12m 5s": one label set.
std::string account(const v1::ReplayedAlert& alert, const std::string& place) {
  return fmt::format("{} {}x {}{}", place, alert.count(), length(alert.total_ms()),
                     alert.firing() ? " still" : "");
}

std::string join_some(const std::vector<std::string>& texts) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(texts.size(), kShown));
  std::string out = fmt::format("{}", fmt::join(texts.begin(), texts.begin() + shown, ", "));
  if (texts.size() > kShown) out += fmt::format(" and {} more", texts.size() - kShown);
  return out;
}

Cell texts_cell(std::vector<std::string> texts, Style style = Style::plain) {
  std::string text = join_some(texts);
  return Cell{List{std::move(texts)}, std::move(text), style};
}

Cell times_cell(std::uint64_t count) {
  return Cell::number(static_cast<std::int64_t>(count), count > 0 ? Style::bold : Style::faint);
}
Cell length_cell(std::int64_t ms) {
  return Cell{ms, length(ms), Style::plain};
}

/// Places of the label sets of `a` that `b` has not.
std::vector<std::string> only_in(const v1::ReplayedRule* a, const v1::ReplayedRule* b, const Places& places) {
  std::set<LabelSet> known;
  if (b != nullptr) {
    for (const auto& alert : b->alerts()) known.insert(labels_of(alert));
  }
  std::vector<std::string> out;
  if (a == nullptr) return out;
  for (const auto& alert : a->alerts()) {
    if (!known.contains(labels_of(alert))) out.push_back(places.of(alert, *a));
  }
  return out;
}

/// A rule of the files, and the one in force with its name and severity; one of them may be missing.
struct Pair {
  const v1::ReplayedRule* proposed = nullptr;
  const v1::ReplayedRule* today = nullptr;
  const v1::ReplayedRule& any() const { return proposed != nullptr ? *proposed : *today; }
};

bool same_name(const v1::ReplayedRule& a, const v1::ReplayedRule& b) {
  return !a.recording() && a.name() == b.name() && severity_of(a) == severity_of(b);
}

bool same_rule(const v1::ReplayedRule& a, const v1::ReplayedRule& b) {
  const LabelSet labels(a.labels().begin(), a.labels().end());
  return same_name(a, b) && a.group() == b.group() &&
         labels == LabelSet(b.labels().begin(), b.labels().end());
}

using Same = bool (*)(const v1::ReplayedRule&, const v1::ReplayedRule&);

/// Gives rules in force to the first of the files that each is the same as; what is left over stays.
void pair_up(std::vector<Pair>& pairs, std::vector<const v1::ReplayedRule*>& in_force, Same same) {
  std::erase_if(in_force, [&](const v1::ReplayedRule* rule) {
    const auto found = std::ranges::find_if(
        pairs, [&](const Pair& pair) { return pair.today == nullptr && same(*pair.proposed, *rule); });
    if (found == pairs.end()) return false;
    found->today = rule;
    return true;
  });
}

std::vector<Pair> pairs_of(const v1::ReplayResult& result) {
  std::vector<Pair> pairs;
  std::vector<const v1::ReplayedRule*> in_force;
  for (const auto& rule : result.rules()) {
    if (rule.in_force()) {
      in_force.push_back(&rule);
    } else {
      pairs.push_back({&rule, nullptr});
    }
  }
  // Rules may share name and severity, say for two mount points: those that differ in nothing else go first.
  pair_up(pairs, in_force, same_rule);
  pair_up(pairs, in_force, same_name);
  for (const auto* rule : in_force) pairs.push_back({nullptr, rule});
  return pairs;
}

std::vector<Cell> row_of(const Pair& pair, const Places& places) {
  const v1::ReplayedRule& any = pair.any();
  const v1::ReplayedRule* rule = pair.proposed;
  std::vector<std::string> where;
  if (rule != nullptr) {
    for (const auto& alert : rule->alerts()) where.push_back(account(alert, places.of(alert, *rule)));
  }
  const bool records = any.recording();
  if (records)
    where.push_back(fmt::format("records {} samples", format_si(static_cast<double>(any.recorded()))));
  return {
      Cell::of(any.name(), Style::bold),
      Cell::of(severity_of(any), severity_style(severity_of(any))),
      rule != nullptr && !records ? times_cell(rule->count()) : Cell::unknown(),
      pair.today != nullptr ? times_cell(pair.today->count()) : Cell::unknown(),
      rule != nullptr ? length_cell(rule->total_ms()) : Cell::unknown(),
      pair.today != nullptr ? length_cell(pair.today->total_ms()) : Cell::unknown(),
      rule != nullptr ? length_cell(rule->longest_ms()) : Cell::unknown(),
      Cell::number(static_cast<std::int64_t>(any.pending_only())),
      texts_cell(std::move(where)),
      pair.today != nullptr ? texts_cell(only_in(rule, pair.today, places), Style::warning) : texts_cell({}),
      texts_cell(only_in(pair.today, rule, places), Style::good),
      Cell::of(any.group()),
      Cell::of(records           ? "recording"
               : rule == nullptr ? "only today"
                                 : "alert"),
      Cell::number(static_cast<std::int64_t>(any.recorded())),
      Cell::of(any.error(), Style::bad)};
}

}  // namespace

Listing replayed_rules_listing(const v1::ReplayResult& result) {
  Listing listing;
  listing.empty_note = "The files hold no rules.";
  listing.columns = {{"name", "RULE"},
                     {"severity", "SEVERITY", Align::left, Fit::useful},
                     {"fired", "FIRED", Align::right},
                     {"fired_today", "TODAY", Align::right, Fit::important},
                     {"firing_ms", "FOR", Align::right},
                     {"firing_today_ms", "TODAY FOR", Align::right, Fit::useful},
                     {"longest_ms", "LONGEST", Align::right, Fit::optional},
                     {"pending_only", "PENDING ONLY", Align::right, Fit::optional},
                     {"where", "WHERE", Align::left, Fit::cut},
                     {"new", "NEW", Align::left, Fit::cut},
                     {"no_longer", "NO LONGER", Align::left, Fit::cut},
                     {"group", ""},
                     {"kind", ""},
                     {"recorded_samples", ""},
                     {"error", "ERROR", Align::left, Fit::cut}};
  const Places places(result);
  for (const Pair& pair : pairs_of(result)) listing.rows.push_back(row_of(pair, places));
  return listing;
}

Listing replayed_alerts_listing(const v1::ReplayResult& result) {
  Listing listing;
  listing.empty_note = "Nothing would have fired.";
  listing.columns = {{"name", "RULE"},
                     {"severity", "SEVERITY"},
                     {"rules", "RULES"},
                     {"where", "WHERE", Align::left, Fit::cut},
                     {"fired", "FIRED", Align::right},
                     {"firing_ms", "FOR", Align::right},
                     {"longest_ms", "LONGEST", Align::right},
                     {"first_ms", "FIRST", Align::left, Fit::useful},
                     {"last_ms", "LAST", Align::left, Fit::useful},
                     {"still_firing", ""},
                     {"group", ""},
                     {"labels", ""}};
  const Places places(result);
  for (const auto& rule : result.rules()) {
    for (const auto& alert : rule.alerts()) {
      const LabelSet labels = labels_of(alert);
      const auto moment = [](std::int64_t t_ms) { return Cell{t_ms, format_local_time(t_ms), Style::plain}; };
      listing.rows.push_back({Cell::of(rule.name(), Style::bold), Cell::of(severity_of(rule)),
                              Cell::of(rule.in_force() ? "today's" : "file"),
                              Cell::of(places.of(alert, rule)), times_cell(alert.count()),
                              length_cell(alert.total_ms()), length_cell(alert.longest_ms()),
                              moment(alert.first_ms()), moment(alert.last_ms()), Cell::flag(alert.firing()),
                              Cell::of(rule.group()), Cell::object(Object(labels.begin(), labels.end()))});
    }
  }
  return listing;
}

}  // namespace vigil::cli
