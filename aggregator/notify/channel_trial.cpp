#include "aggregator/notify/channel_trial.h"

#include "aggregator/notify/text.h"
#include "common/clock.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace vigil::notify {
namespace {

constexpr std::chrono::milliseconds kAskAgain{50};

/// One channel's part of a test. `mutex` and `changed` are the test's.
class Trial {
 public:
  Trial(const Endpoint& endpoint, const CourierOptions& options, std::mutex& mutex,
        std::condition_variable& changed)
      : mutex_(mutex),
        changed_(changed),
        begun_(std::chrono::steady_clock::now()),
        courier_(endpoint, options, [this](const Delivery& delivery) { hear(delivery); }) {}

  void start() {
    courier_.start();
    courier_.enqueue({test_row(courier_.endpoint(), Kind::firing, wall_ms())});
  }
  void begin_stop() { courier_.begin_stop(); }
  void await_stop() { courier_.await_stop(); }
  /// Under the mutex.
  bool has_answer() const { return answer_.has_value(); }
  TestAnswer answer() const {
    const Endpoint& endpoint = courier_.endpoint();
    return answer_.value_or(
        TestAnswer{endpoint.name, std::string(endpoint.kind), "no answer yet", took_ms()});
  }

 private:
  /// On the courier's thread.
  void hear(const Delivery& delivery) {
    const bool is_fine = delivery.outcome == Outcome::delivered;
    if (fault_.empty() || !is_fine) fault_ = delivery.error;
    // What was opened there, such as an incident, is closed again.
    if (is_fine && !std::exchange(is_told_, true) && courier_.endpoint().send_resolved) {
      courier_.enqueue({test_row(courier_.endpoint(), Kind::resolved, wall_ms())});
      return;
    }
    const Endpoint& endpoint = courier_.endpoint();
    const std::lock_guard lock(mutex_);
    if (!answer_) answer_ = TestAnswer{endpoint.name, std::string(endpoint.kind), fault_, took_ms()};
    changed_.notify_all();
  }

  std::int64_t took_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun_)
        .count();
  }

  std::mutex& mutex_;
  std::condition_variable& changed_;
  const std::chrono::steady_clock::time_point begun_;
  bool is_told_ = false;              // the courier's thread
  std::string fault_;                 // the same: what was wrong first, or that it was not taken
  std::optional<TestAnswer> answer_;  // under mutex_
  Courier courier_;                   // last: its thread looks at the others
};

/// "ops" of "ops/slack[0]"; a receiver of vigil's own configuration has one name.
std::string receiver_of(const Endpoint& endpoint) {
  return endpoint.takes_groups ? endpoint.name.substr(0, endpoint.name.rfind('/')) : endpoint.name;
}

}  // namespace

Row test_row(const Endpoint& endpoint, Kind kind, std::int64_t now_ms) {
  Notification note;
  note.kind = kind;
  note.fingerprint = "76696769742d7465";
  note.rule_key = "vigil/VigilTest";
  note.group = "vigil";
  note.alert = "VigilTest";
  note.severity = "info";
  note.occasion = kind == Kind::firing ? "Test" : "Test ends";
  note.title = "VigilTest of the receiver " + receiver_of(endpoint);
  note.labels = Labels{{"alertname", "VigilTest"}, {"severity", "info"}, {"receiver", receiver_of(endpoint)}};
  note.annotations = Labels{{"summary", "This is a test of the receiver " + receiver_of(endpoint)},
                            {"description", "Somebody ran `vigil receivers test`; nothing is wrong."},
                            {"value", utc_text(now_ms)}};
  note.value = 1;
  note.expr = "vector(1)";
  note.active_since_ms = note.fired_at_ms = now_ms;
  if (kind == Kind::resolved) note.resolved_at_ms = now_ms;
  note.key = fmt::format("{}-{}-{}", note.fingerprint, now_ms, to_string(kind));
  Row row;
  row.receiver = endpoint.name;
  row.created_ms = now_ms;
  row.note = note;
  if (endpoint.takes_groups)
    row.group = Group{
        R"({}:{alertname="VigilTest"})", receiver_of(endpoint), Labels{{"alertname", "VigilTest"}}, {note}};
  return row;
}

std::vector<TestAnswer> run_test(const std::vector<Endpoint>& endpoints, CourierOptions options,
                                 const std::function<bool()>& is_cancelled) {
  options.give_up_after_ms = 0;  // once is enough
  options.logs = false;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::unique_ptr<Trial>> trials;
  trials.reserve(endpoints.size());
  for (const Endpoint& endpoint : endpoints)
    trials.push_back(std::make_unique<Trial>(endpoint, options, mutex, changed));
  for (const auto& trial : trials) trial->start();
  const auto until = std::chrono::steady_clock::now() + kLongestTest;
  const auto all_answered = [&trials] {
    return std::all_of(trials.begin(), trials.end(), [](const auto& trial) { return trial->has_answer(); });
  };
  {
    std::unique_lock lock(mutex);
    while (!changed.wait_for(lock, kAskAgain, all_answered)) {
      if (is_cancelled() || std::chrono::steady_clock::now() >= until) break;
    }
  }
  for (const auto& trial : trials) trial->begin_stop();
  for (const auto& trial : trials) trial->await_stop();
  std::vector<TestAnswer> out;
  out.reserve(trials.size());
  for (const auto& trial : trials) out.push_back(trial->answer());
  return out;
}

}  // namespace vigil::notify
