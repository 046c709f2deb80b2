// Random scenarios of a rule whose aggregator is stopped and killed at any step, beside a small model of what
// must hold: nothing fires too early, nothing that fires or ends is lost, missing data ends nothing.
//
// VIGIL_SCENARIOS=N: so many. VIGIL_SEED=N begins with that seed; a failure names the one that shows it at
// once, with its script.
#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/meta_store.h"
#include "tests/aggregator/alerts/scenario_play.h"
#include "tests/aggregator/store/temporary_folder.h"
#include "tests/support/catch.h"
#include "tests/support/from_environment.h"

#include <array>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vigil::alerts::testing {
namespace {

using aggregator::testing::TemporaryFolder;
using vigil::testing::number_from_environment;
using vigil::testing::Progress;

constexpr std::uint64_t kScenarios = 8'000;  // a hundred thousand take some minutes with sanitizers
constexpr std::int64_t kClocks_s = 10;

/// Rules of a host, the alert book, and the rows of meta.db. Transitions are stored, and what an alert waits
/// for when that changes; how long a pending one was true every ten seconds.
class BookKeeper : public Keeper {
 public:
  explicit BookKeeper(MetaStore& store) : store_(store) { wipe(); }

  void start(const Terms& terms, std::int64_t now_s) override {
    const auto known = std::make_shared<rules::KnownAlerts>();
    book_.emplace(AlertBookOptions{});
    waits_.clear();
    auto stored = store_.alerts();
    REQUIRE(stored);
    for (StoredAlert& row : *stored) {
      Alert& alert = row.alert;
      alert.rule = rules_of(terms_)->find(row.rule_key);
      if (const auto rule = rules_of(terms)->find(row.rule_key))
        (*known)[{rule->key, alert.scope}].push_back(
            {alert.series, alert.state == State::firing, alert.value});
      waits_[alert.fingerprint] = waits_of(alert);
      book_->restore(std::move(alert));
    }
    restore_changes(terms);
    watch_ = std::make_unique<Watch>(
        terms, known, [this](rules::Evaluation evaluation) { note(book_->apply(evaluation)); });
    adopt(terms, now_s);
  }
  void stop(std::int64_t /*now_s*/) override { store_clocks(); }
  void kill() override { forget_unstored(); }
  void pass(std::int64_t now_s) override {
    note(book_->expire(now_s * 1000));
    commit();
  }
  void evaluate(const Step& step, std::int64_t now_s) override {
    watch_->tick(step, now_s);
    commit();
  }
  void evaluate_unstored(const Step& step, std::int64_t now_s) override { watch_->tick(step, now_s); }
  void reload(const Terms& terms, std::int64_t now_s) override {
    watch_->reload(terms, now_s);
    adopt(terms, now_s);
  }
  std::vector<Seen> look(std::size_t series) override {
    std::vector<Seen> seen(series);
    book_->for_each([&seen](const Alert& alert) {
      seen.at(series_of(*alert.series)) = {alert.state, alert.fired_at_ms / 1000, false};
    });
    return seen;
  }
  bool ends_by_time() const override { return true; }
  Clocks clocks() const override { return Clocks::are_kept; }
  bool keeps_clocks(std::int64_t now_s) override {
    if (now_s - clocks_s_ < kClocks_s) return false;
    clocks_s_ = now_s;
    store_clocks();
    return true;
  }

 private:
  void restore_changes(const Terms& terms) {
    if (terms.changes == 0) return;
    book_->for_each([this](const Alert& alert) {
      if (alert.state == State::firing && alert.flapping_since_ms == 0)
        book_->restore_change(alert.fingerprint, alert.fired_at_ms);
    });
    REQUIRE(store_.each_ended(0, [this](const EndedAlert& ended) {
      book_->restore_change(ended.fingerprint, ended.fired_at_ms);
      book_->restore_change(ended.fingerprint, ended.resolved_at_ms);
    }));
  }

  void adopt(const Terms& terms, std::int64_t now_s) {
    terms_ = terms;
    note(book_->adopt(*rules_of(terms), now_s * 1000));
    commit();
  }

  void note(const std::vector<Transition>& transitions) {
    for (const Transition& transition : transitions) {
      const std::string& id = transition.alert.fingerprint;
      changed_.insert(id);
      if (transition.to == State::resolved) ended_.push_back(transition.alert);
    }
  }

  void store_clocks() {
    book_->for_each([this](const Alert& alert) {
      if (alert.state == State::pending || alert.no_data_since_ms != 0) changed_.insert(alert.fingerprint);
    });
    commit();
  }

  using Waits = std::array<std::int64_t, 5>;
  static Waits waits_of(const Alert& alert) {
    return {alert.false_since_ms, alert.lasting_since_ms, alert.no_data_since_ms, alert.flapping_since_ms,
            alert.flap_changed_ms};
  }

  void commit() {
    book_->for_each([this](const Alert& alert) {
      if (waits_[alert.fingerprint] != waits_of(alert)) changed_.insert(alert.fingerprint);
      waits_[alert.fingerprint] = waits_of(alert);
    });
    Changes changes;
    for (const std::string& id : changed_) {
      if (const Alert* alert = std::as_const(*book_).find(id)) {
        changes.put.push_back(alert);
      } else {
        changes.removed.push_back(id);
      }
    }
    for (const Alert& alert : ended_) changes.history.push_back(&alert);
    if (!changes.empty()) REQUIRE(store_.commit(changes));
    forget_unstored();
  }

  void forget_unstored() {
    changed_.clear();
    ended_.clear();
  }

  /// Each scenario begins with nothing.
  void wipe() {
    Changes changes;
    const auto stored = store_.alerts();
    REQUIRE(stored);
    for (const StoredAlert& row : *stored) changes.removed.push_back(row.alert.fingerprint);
    if (!changes.empty()) REQUIRE(store_.commit(changes));
    REQUIRE(store_.prune(std::numeric_limits<std::int64_t>::max()));
  }

  MetaStore& store_;
  Terms terms_;
  std::optional<AlertBook> book_;
  std::unique_ptr<Watch> watch_;
  std::map<std::string, Waits> waits_;  // as they are stored
  std::set<std::string> changed_;
  std::vector<Alert> ended_;
  std::int64_t clocks_s_ = 0;
};

}  // namespace

TEST_CASE("In random scenarios alerts begin and end when they must, and only then, over stops and kills") {
  const TemporaryFolder folder;
  auto store = MetaStore::open((folder.path() / "meta.db").string());
  REQUIRE(store);
  const std::uint64_t wanted = number_from_environment("VIGIL_SCENARIOS", kScenarios);
  const std::uint64_t first = number_from_environment("VIGIL_SEED", 1);
  const Progress progress("scenarios", wanted);
  for (std::uint64_t done = 0; done < wanted; ++done) {
    BookKeeper keeper(*store);
    const std::string wrong = play(make_scenario(first + done), keeper);
    if (!wrong.empty()) FAIL(wrong);
    if (done % 1000 == 0) progress.at(done);
  }
}

}  // namespace vigil::alerts::testing
