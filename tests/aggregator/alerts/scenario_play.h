// Plays a scenario on something that keeps alerts, beside the model of what must hold.
#pragma once

#include "aggregator/rules/host_rules.h"
#include "tests/aggregator/alerts/alert_model.h"
#include "tests/aggregator/alerts/scenario.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vigil::alerts::testing {

/// Rules of the one host, from a start to the next stop.
class Watch {
 public:
  Watch(const Terms& terms, rules::KnownAlertsPtr known, rules::Sink sink);
  /// Samples came in: each series says what it reads.
  void tick(const Step& step, std::int64_t now_s);
  void reload(const Terms& terms, std::int64_t now_s);

 private:
  rules::CurrentRules current_;
  rules::HostRules rules_;
};

/// What keeps alerts. Each call returns when all of it has happened.
class Keeper {
 public:
  virtual ~Keeper() = default;

  virtual void start(const Terms& terms, std::int64_t now_s) = 0;
  virtual void stop(std::int64_t now_s) = 0;
  /// Leaves what is in meta.db.
  virtual void kill() = 0;
  /// Time has passed.
  virtual void pass(std::int64_t now_s) = 0;
  virtual void evaluate(const Step& step, std::int64_t now_s) = 0;
  /// The same, up to where it would be stored.
  virtual void evaluate_unstored(const Step& step, std::int64_t now_s) = 0;
  virtual void reload(const Terms& terms, std::int64_t now_s) = 0;
  virtual std::vector<Seen> look(std::size_t series) = 0;

  /// Whether alerts end by time alone, also without an evaluation, as soon as they can.
  virtual bool ends_by_time() const = 0;
  virtual Clocks clocks() const = 0;
  /// Whether it has put the clocks of pending alerts on the disk now.
  virtual bool keeps_clocks(std::int64_t now_s) = 0;

  // Of those that tell people, otherwise nothing:
  virtual void silence(std::size_t /*series*/, int /*for_s*/, std::int64_t /*now_s*/) {}
  virtual void expire(std::int64_t /*now_s*/) {}
  /// Whether somebody looks after it from now on.
  virtual bool acknowledge(std::size_t /*series*/) { return false; }
  virtual void deliver(const Step& /*step*/) {}
  /// What is wrong with what people are told; "" nothing.
  virtual std::string check(const std::vector<SeriesModel>& /*series*/, std::int64_t /*now_s*/) { return {}; }
  virtual std::string check_end() { return {}; }
};

/// What went wrong, with the scenario; "" nothing.
std::string play(const Scenario& scenario, Keeper& keeper);

/// The series of a scenario, and which of them an alert is of.
std::string chip_of(std::size_t series);
std::size_t series_of(const Labels& labels);

}  // namespace vigil::alerts::testing
