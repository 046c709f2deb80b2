// The same scenarios on the whole alert service, with silences, acknowledgements and receivers that are away:
// who is told that an alert fires is told its end, each once, in this order, and never while it is silenced.
// A kill between sending a message and noting it sends it twice, with the same key.
//
// VIGIL_SERVICE_SCENARIOS=N: so many. VIGIL_SEED=N begins with that seed; a failure names the one that shows
// it at once, with its script.
#include "aggregator/alerts/alert_service.h"
#include "aggregator/alerts/silencing.h"
#include "aggregator/alerts/wait_for.h"
#include "common/log/log.h"
#include "tests/aggregator/alerts/scenario_play.h"
#include "tests/aggregator/alerts/telling_model.h"
#include "tests/aggregator/store/temporary_folder.h"
#include "tests/support/catch.h"
#include "tests/support/from_environment.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vigil::alerts::testing {
namespace {

using aggregator::testing::TemporaryFolder;
using vigil::testing::number_from_environment;
using vigil::testing::Progress;

constexpr std::uint64_t kServiceScenarios = 800;

const std::vector<std::string>& receivers() {
  static const std::vector<std::string> kNames = {"ops", "boss"};
  return kNames;
}

/// Takes messages, and sends them when it is told to, one at a time to each receiver.
class Post : public notify::Notifier {
 public:
  void start() override {}
  void stop() override {}
  void replace_for_groups(std::vector<notify::Endpoint> /*endpoints*/) override {}
  void enqueue(std::vector<notify::Row> rows) override {
    const std::lock_guard lock(mutex_);
    batches_.push_back(std::move(rows));
  }
  void remember(std::vector<notify::ThreadChange> /*threads*/) override {}
  void recall(const std::vector<notify::GivenUp>& /*losses*/) override {}
  std::vector<std::string> targets(const notify::Notification& note) const override {
    return note.severity == "critical" ? receivers() : std::vector{receivers().front()};
  }
  std::vector<Late> late_targets(const notify::Notification& /*note*/) const override { return {}; }
  std::vector<notify::ReceiverStats> stats() const override { return {}; }
  Result<std::vector<notify::TestAnswer>> test(const std::string& /*receiver*/,
                                               const std::function<bool()>& /*is_cancelled*/) override {
    return std::vector<notify::TestAnswer>();
  }

  /// What came since the last call.
  std::vector<std::vector<notify::Row>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(batches_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::vector<notify::Row>> batches_;
};

/// The alert service with its meta.db.
class ServiceKeeper : public Keeper {
 public:
  explicit ServiceKeeper(bool is_critical) : who_(receivers()) {
    if (!is_critical) who_.resize(1);
    std::filesystem::create_directory(life());
  }
  ~ServiceKeeper() override { end(); }

  void start(const Terms& terms, std::int64_t now_s) override {
    terms_ = terms;
    well_for_ = 0;
    now_ms_ = now_s * 1000;
    auto opened = AlertService::open({(life() / "meta.db").string(), [this] { return now_ms_.load(); }, {}},
                                     rules_of(terms));
    REQUIRE(opened);
    service_ = std::move(*opened);
    post_ = std::make_unique<Post>();
    lines_.assign(receivers().size(), {});
    service_->set_notifier(*post_);
    service_->start();
    is_new_ = true;
    watch_ = std::make_unique<Watch>(terms, service_->known(), [this](rules::Evaluation evaluation) {
      service_->take(std::move(evaluation));
    });
    round();
  }
  void stop(std::int64_t /*now_s*/) override {
    for (std::size_t i = 0; i < lines_.size(); ++i) note_sent(i);
    end();
    collect();
  }
  void kill() override {
    const auto next = root_.path() / fmt::format("{}", ++lives_);
    std::filesystem::create_directory(next);
    // On its own thread, so that nothing is written meanwhile.
    on_its_thread([this, &next] {
      for (const char* name : {"meta.db", "meta.db-wal"})
        std::filesystem::copy_file(before() / name, next / name);
      collect();
    });
    telling_.killed();
    end();
    std::filesystem::remove_all(before());
  }
  void pass(std::int64_t now_s) override {
    now_ms_ = now_s * 1000;
    round();
  }
  void evaluate(const Step& step, std::int64_t now_s) override {
    watch_->tick(step, now_s);
    say_again(step, now_s);
    round();
  }
  void evaluate_unstored(const Step& /*step*/, std::int64_t /*now_s*/) override {}
  void reload(const Terms& terms, std::int64_t now_s) override {
    terms_ = terms;
    service_->reload({rules_of(terms)});
    watch_->reload(terms, now_s);
    round();
  }
  std::vector<Seen> look(std::size_t series) override {
    std::vector<Seen> seen(series);
    ids_.assign(series, "none");
    for (const AlertInfo& alert : service_->alerts()) {
      if (alert.state == State::resolved) continue;
      const std::size_t i = series_of(alert.labels);
      seen.at(i) = {alert.state, alert.fired_at_ms / 1000, static_cast<bool>(alert.acknowledgement)};
      ids_.at(i) = alert.fingerprint;
    }
    return seen;
  }
  /// See say_again().
  bool ends_by_time() const override { return false; }
  Clocks clocks() const override { return Clocks::may_be_stale; }
  bool keeps_clocks(std::int64_t /*now_s*/) override { return false; }

  void silence(std::size_t series, int for_s, std::int64_t now_s) override {
    silences::Silence silence;
    const std::string matchers = series == kAllSeries ? "alertname=Hot" : "chip=" + chip_of(series);
    silence.matchers = matchers::parse_matchers(matchers)->matchers;
    silence.starts_ms = now_s * 1000;
    silence.ends_ms = (now_s + for_s) * 1000;
    silence.author = "ada";
    silence.comment = "new fans";
    const auto id = put_silence(*service_, silence);
    REQUIRE(id);
    telling_.silence(*id, series, now_s + for_s);
    round();
  }
  void expire(std::int64_t now_s) override {
    const std::string id = telling_.expire(now_s);
    if (id.empty()) return;
    REQUIRE(expire_silence(*service_, id));
    round();
  }
  bool acknowledge(std::size_t series) override {
    const auto done = alerts::acknowledge(*service_, ids_.at(series), {"ada", "mine", 0});
    return done.has_value();
  }
  void deliver(const Step& step) override {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (step.lines[i] == Line::away) continue;
      note_sent(i);
      while (!lines_[i].waiting.empty()) {
        note_sent(i);
        lines_[i].sent = lines_[i].waiting.front();
        lines_[i].waiting.pop_front();
        note_wrong(telling_.heard(*lines_[i].sent));
      }
      if (step.lines[i] == Line::open) note_sent(i);
    }
  }
  std::string check(const std::vector<SeriesModel>& series, std::int64_t now_s) override {
    note_wrong(telling_.check(series, who_, now_s));
    return wrong_;
  }
  std::string check_end() override {
    Step last;
    last.lines.assign(lines_.size(), Line::open);
    deliver(last);
    note_wrong(telling_.check_end());
    return wrong_;
  }

 private:
  struct Lane {
    std::deque<notify::Row> waiting;
    std::optional<notify::Row> sent;  // and not noted
  };

  std::filesystem::path life() const { return root_.path() / fmt::format("{}", lives_); }
  std::filesystem::path before() const { return root_.path() / fmt::format("{}", lives_ - 1); }

  void on_its_thread(const std::function<void()>& task) {
    REQUIRE(wait_for<Result<void>>([&](auto answer) {
      service_->explain("none", [&task, answer](const auto& /*explained*/) {
        task();
        answer(Result<void>());
      });
    }));
  }

  /// Rules say once that all is false; an alert that is kept firing ends when they do so again, or by the
  /// service's own clock, for which nobody waits here.
  void say_again(const Step& step, std::int64_t now_s) {
    const bool all_is_well = std::ranges::all_of(step.readings, [](Reading r) { return r == Reading::low; });
    well_for_ = all_is_well ? well_for_ + 1 : 0;
    if (!terms_.exists || well_for_ < terms_.of) return;
    service_->take({rules_of(terms_)->rules().front(), "web", now_s * 1000, {}, {}, {}});
  }

  /// What the service does once a second, as far as it tells somebody; then all that was to be done is.
  void round() {
    static_cast<void>(expire_silence(*service_, "none"));
    on_its_thread([] {});
    collect();
  }

  void collect() {
    for (std::vector<notify::Row>& batch : post_->take()) {
      if (std::exchange(is_new_, false)) {
        note_wrong(telling_.started(batch));
      } else {
        for (const notify::Row& row : batch) note_wrong(telling_.queued(row, now_ms_ / 1000));
      }
      for (notify::Row& row : batch)
        lines_.at(row.receiver == receivers().front() ? 0 : 1).waiting.push_back(std::move(row));
    }
  }

  void note_sent(std::size_t line) {
    if (!lines_[line].sent) return;
    service_->delivered({{lines_[line].sent->id}, notify::Outcome::delivered, 1, 0, ""});
    telling_.noted(*lines_[line].sent);
    lines_[line].sent.reset();
  }

  void note_wrong(std::string wrong) {
    if (wrong_.empty()) wrong_ = std::move(wrong);
  }

  void end() {
    watch_.reset();
    if (service_) service_->stop();
    service_.reset();
  }

  const TemporaryFolder root_;
  int lives_ = 0;
  std::vector<std::string> who_;
  TellingModel telling_;
  std::atomic<std::int64_t> now_ms_ = 0;
  std::unique_ptr<Post> post_;
  std::unique_ptr<AlertService> service_;
  std::unique_ptr<Watch> watch_;
  std::vector<Lane> lines_;
  bool is_new_ = false;  // the outbox of before comes first
  Terms terms_;
  int well_for_ = 0;  // evaluations since the start
  std::vector<std::string> ids_;
  std::string wrong_;
};

}  // namespace

TEST_CASE("In random scenarios each beginning and each end is told once, whatever is stopped or killed") {
  const std::uint64_t wanted = number_from_environment("VIGIL_SERVICE_SCENARIOS", kServiceScenarios);
  const std::uint64_t first = number_from_environment("VIGIL_SEED", 1);
  const Progress progress("scenarios of the service", wanted);
  log::set_level(log::Level::error);
  for (std::uint64_t done = 0; done < wanted; ++done) {
    const Scenario scenario = make_scenario(first + done);
    ServiceKeeper keeper(scenario.terms.is_critical);
    const std::string wrong = play(scenario, keeper);
    if (!wrong.empty()) FAIL(wrong);
    progress.at(done);
  }
  log::set_level(log::Level::info);
}

}  // namespace vigil::alerts::testing
