#include "tests/aggregator/alerts/scenario_play.h"

#include "tests/aggregator/rules/table_storage.h"

#include <utility>

namespace vigil::alerts::testing {
namespace {

constexpr aggregator::HostId kHost = 7;
constexpr std::int64_t kBegin_s = 1'000'000;
constexpr double kHeatOf[] = {95, 80, 50};  // high, middle, low

class Play {
 public:
  Play(const Scenario& scenario, Keeper& keeper)
      : scenario_(scenario),
        keeper_(keeper),
        terms_(scenario.terms),
        models_(scenario.series, SeriesModel(keeper.clocks())) {}

  std::string run() {
    keeper_.start(terms_, now_s_);
    for (const Step& step : scenario_.steps) {
      std::string wrong = pass(step);
      if (wrong.empty()) wrong = act(step);
      if (!wrong.empty())
        return fmt::format("step {}: {}\n{}", &step - scenario_.steps.data(), wrong, to_string(scenario_));
    }
    const std::string wrong = keeper_.check_end();
    return wrong.empty() ? wrong : fmt::format("at the end: {}\n{}", wrong, to_string(scenario_));
  }

 private:
  std::string pass(const Step& step) {
    now_s_ += step.after_s;
    keeper_.pass(now_s_);
    std::string wrong =
        check(keeper_.ends_by_time() ? SeriesModel::After::time : SeriesModel::After::anything);
    if (keeper_.keeps_clocks(now_s_)) {
      for (SeriesModel& model : models_) model.store();
    }
    keeper_.deliver(step);
    return wrong;
  }

  std::string act(const Step& step) {
    switch (step.act) {
      case Act::wait:
        break;
      case Act::evaluate:
        keeper_.evaluate(step, now_s_);
        if (terms_.exists) return evaluated(step);
        break;
      case Act::silence:
        keeper_.silence(step.series, step.for_s, now_s_);
        break;
      case Act::expire:
        keeper_.expire(now_s_);
        break;
      case Act::acknowledge:
        if (keeper_.acknowledge(step.series)) models_[step.series].acknowledge();
        break;
      case Act::reload:
        keeper_.reload(step.terms, now_s_);
        take(step.terms);
        break;
      case Act::stop:
      case Act::kill:
      case Act::kill_within:
        restart(step);
        break;
    }
    return check(SeriesModel::After::anything);
  }

  std::string evaluated(const Step& step) {
    std::size_t speak = 0;
    for (const Reading reading : step.readings) speak += reading == Reading::none ? 0 : 1;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const bool alone = speak == (step.readings[i] == Reading::none ? 0 : 1);
      models_[i].evaluate(step.readings[i], !alone || step.all_work, terms_, now_s_);
    }
    return check(SeriesModel::After::evaluation);
  }

  void restart(const Step& step) {
    if (step.act == Act::kill_within) keeper_.evaluate_unstored(step, now_s_);
    for (SeriesModel& model : models_) {
      if (step.act == Act::stop) {
        model.store();
      } else {
        model.kill();
      }
      model.start();
    }
    if (step.act == Act::stop) {
      keeper_.stop(now_s_);
    } else {
      keeper_.kill();
    }
    keeper_.start(step.terms, now_s_);
    take(step.terms);
  }

  void take(const Terms& terms) {
    const bool is_other = to_string(terms) != to_string(terms_);
    terms_ = terms;
    if (!is_other) return;
    for (SeriesModel& model : models_) model.reload(terms);
  }

  std::string check(SeriesModel::After what) {
    const std::vector<Seen> seen = keeper_.look(models_.size());
    std::string wrong;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const std::string said = models_[i].check(seen[i], what, terms_, now_s_);
      if (!said.empty() && wrong.empty()) wrong = fmt::format("{} {}", chip_of(i), said);
    }
    return wrong.empty() ? keeper_.check(models_, now_s_) : wrong;
  }

  const Scenario& scenario_;
  Keeper& keeper_;
  Terms terms_;
  std::vector<SeriesModel> models_;
  std::int64_t now_s_ = kBegin_s;
};

}  // namespace

std::string chip_of(std::size_t series) {
  return fmt::format("c{}", series);
}

std::size_t series_of(const Labels& labels) {
  const std::string_view chip = labels.get("chip");
  return chip.size() == 2 ? static_cast<std::size_t>(chip[1] - '0') : kAllSeries;
}

Watch::Watch(const Terms& terms, rules::KnownAlertsPtr known, rules::Sink sink)
    : current_(rules_of(terms)), rules_(current_, std::move(known), std::move(sink)) {}

void Watch::tick(const Step& step, std::int64_t now_s) {
  const std::int64_t t_ms = now_s * 1000;
  test::TableStorage table;
  for (std::size_t i = 0; i < step.readings.size(); ++i) {
    if (step.readings[i] == Reading::none) continue;
    // Its value is never the same: that makes it no other alert.
    const double value = kHeatOf[static_cast<std::size_t>(step.readings[i])] + static_cast<double>(now_s % 5);
    table.add(Labels{{"__name__", "heat"}, {"chip", chip_of(i)}, {"instance", "web"}}, t_ms, value);
  }
  table.add(Labels{{"__name__", "node_scrape_collector_success"}, {"collector", "cpu"}, {"instance", "web"}},
            t_ms, step.all_work ? 1 : 0);
  rules_.on_host_tick(kHost, "web", t_ms, table);
}

void Watch::reload(const Terms& terms, std::int64_t now_s) {
  current_.replace(rules_of(terms));
  if (terms.exists) return;
  test::TableStorage nothing;
  rules_.on_host_tick(kHost, "web", now_s * 1000,
                      nothing);  // a host sends often: that its rule was gone is seen
}

std::string play(const Scenario& scenario, Keeper& keeper) {
  return Play(scenario, keeper).run();
}

}  // namespace vigil::alerts::testing
