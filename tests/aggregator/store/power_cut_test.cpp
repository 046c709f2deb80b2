// The power is cut at each write, sync, truncation, creation and removal of random lives of a history, and in
// each of several ways (power_cut.h); what is left is opened and compared with the model.
//
// VIGIL_SEED=N begins with that seed; a failure names the one that shows it at once. VIGIL_CRASH_POINTS=N:
// so many in all.
#include "tests/aggregator/store/machine.h"
#include "tests/support/from_environment.h"

#include <sqlite3.h>

#include <thread>

namespace vigil::aggregator {
namespace {

using namespace testing;
using namespace vigil::testing;

constexpr std::uint64_t kCrashPoints = 2000;
constexpr std::uint64_t kPointsPerLife = 60;
constexpr int kLives = 4;
constexpr int kActs = 30;

/// A moment at which the power may go.
struct Moment {
  DiskState disk;
  std::shared_ptr<const HistoryModel> model;
};

/// One life of a machine: from power on to a clean end. Notes each moment before something changes on disk.
class Life {
 public:
  Life(const DiskImage& image, HistoryModel model, std::uint64_t seed)
      : disk_(image), model_(std::move(model)), workload_(model_, seed) {
    disk_.observe([this](const DiskState& state) { note(state); });
  }

  Problems run() {
    {
      auto open = try_open_history(options_of(disk_, model_),
                                   [this](const DurableBatch& batch) { model_.acknowledge(batch); });
      if (!open) return {"open: " + open.error().message};
      Problems problems = check_history(model_, **open);
      if (!problems.empty()) return problems;
      workload_.resume(**open);
      for (int i = 0; i < kActs; ++i) {
        if (!workload_.act(*(*open)->history)) return {"refused: " + (*open)->history->health().message};
      }
      problems = workload_.look(**open);
      if (!problems.empty()) return problems;
      (*open)->history->close();
      model_.synced();
    }
    note(disk_.state());
    return {};
  }
  const std::vector<Moment>& moments() const { return moments_; }

 private:
  void note(const DiskState& state) {
    // The history may do things by itself, while the model changes: there are other moments.
    if (std::this_thread::get_id() != thread_ && !workload_.waits()) return;
    if (moments_.empty() || noted_ != model_.orders || known_ != acknowledged())
      newest_ = std::make_shared<const HistoryModel>(model_);
    noted_ = model_.orders;
    known_ = acknowledged();
    moments_.push_back({state, newest_});
  }
  // Whatever the disk owes changes one of these.
  std::uint64_t acknowledged() const { return model_.synced_order + model_.named_order; }

  const std::thread::id thread_ = std::this_thread::get_id();
  SimulatedDisk disk_;
  HistoryModel model_;
  Workload workload_;
  std::vector<Moment> moments_;
  std::shared_ptr<const HistoryModel> newest_;
  std::uint64_t noted_ = 0;
  std::uint64_t known_ = 0;
};

HistoryModel first_model(std::uint64_t seed) {
  HistoryModel model;
  if (seed % 2 == 1) model.retention_ms = std::int64_t{30} * 3'600'000;
  return model;
}

/// Some lives, one after the other, each ended by a cut: returns how many cuts were tried.
std::uint64_t try_lives(std::uint64_t seed, std::uint64_t points_per_life) {
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed), nullptr);
  std::mt19937_64 random(seed);
  HistoryModel model = first_model(seed);
  DiskImage image;
  std::uint64_t points = 0;
  for (int life_number = 0; life_number < kLives; ++life_number) {
    Life life(image, model, random());
    const Problems problems = life.run();
    INFO("life " << life_number << " of VIGIL_SEED=" << seed);
    REQUIRE(problems == Problems{});
    const auto& moments = life.moments();
    for (std::uint64_t i = 0; i < points_per_life; ++i, ++points) {
      const Moment& moment = moments[(i * moments.size() + random() % moments.size()) / points_per_life];
      const Damage damage = kDamages.at(random() % kDamages.size());
      const std::uint64_t dice = random();
      INFO("cut " << i << " at change " << &moment - moments.data() << " of " << moments.size() << ", "
                  << to_string(damage));
      image = after_power_cut(moment.disk, damage, dice);
      model = *moment.model;
      REQUIRE(open_and_check(image, model) == Problems{});
    }
    const Moment& last = moments[random() % moments.size()];
    image = after_power_cut(last.disk, kDamages.at(random() % kDamages.size()), random());
    model = *last.model;
  }
  return points;
}

}  // namespace

TEST_CASE("At each change of a short life, each kind of power cut leaves a history that can be opened") {
  Life life({}, first_model(1), 1);
  REQUIRE(life.run() == Problems{});
  REQUIRE(life.moments().size() > 100);
  for (std::size_t i = 0; i < life.moments().size(); ++i) {
    const Moment& moment = life.moments()[i];
    for (const Damage damage : kDamages) {
      INFO("at change " << i << " of " << life.moments().size() << ", " << to_string(damage));
      REQUIRE(open_and_check(after_power_cut(moment.disk, damage, i), *moment.model) == Problems{});
    }
  }
}

TEST_CASE("Whenever the power is cut, everything acknowledged is there once, and nothing else") {
  const std::uint64_t wanted = number_from_environment("VIGIL_CRASH_POINTS", kCrashPoints);
  Progress progress("power cuts", wanted);
  std::uint64_t points = 0;
  for (std::uint64_t seed = number_from_environment("VIGIL_SEED", 1); points < wanted; ++seed) {
    points += try_lives(seed, kPointsPerLife);
    progress.at(points);
  }
}

}  // namespace vigil::aggregator
