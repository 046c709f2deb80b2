#include "aggregator/notify/notifier.h"

#include "aggregator/notify/channel_trial.h"
#include "aggregator/notify/courier.h"
#include "common/log/log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace vigil::notify {
namespace {

class Couriers : public Notifier {
 public:
  Couriers(const NotificationsConfig& config, Feedback feedback)
      : options_{config.give_up_after.count(), config.timeout,
                 config.allow_private ? Reach::everywhere : Reach::public_only},
        feedback_(std::move(feedback)) {}
  ~Couriers() override { stop(); }

  void add(Endpoint endpoint) { couriers_.push_back(make(std::move(endpoint))); }

  void start() override {
    running_ = true;
    for (const auto& courier : couriers_) courier->start();
  }

  /// A test that runs ends soon; nobody begins another one, since who asks has ended.
  void stop() override {
    running_ = false;
    for (const auto& courier : couriers_) courier->begin_stop();
    for (const auto& courier : couriers_) courier->await_stop();
  }

  void replace_for_groups(std::vector<Endpoint> endpoints) override {
    List made;
    made.reserve(endpoints.size());
    for (Endpoint& endpoint : endpoints) made.push_back(make(std::move(endpoint)));
    const List old = for_groups();
    for (const auto& courier : old) courier->begin_stop();
    for (const auto& courier : old) courier->await_stop();  // what comes meanwhile stays with them
    hand_over(old, made);
  }

  void enqueue(std::vector<Row> rows) override {
    Delivery orphans{{}, Outcome::dead, 0, 0, "its receiver is not configured any more"};
    {
      const std::lock_guard lock(mutex_);  // until they are taken: no courier ends meanwhile
      std::map<Courier*, std::vector<Row>> by_courier;
      for (Row& row : rows) {
        if (Courier* courier = find(couriers_, row.receiver)) {
          by_courier[courier].push_back(std::move(row));
        } else {
          orphans.ids.push_back(row.id);
          ++orphans_[row.receiver];
        }
      }
      for (auto& [courier, of_it] : by_courier) courier->enqueue(std::move(of_it));
    }
    if (orphans.ids.empty()) return;
    log::warn("notify", "messages for receivers that are not configured any more are given up",
              {{"messages", orphans.ids.size()}});
    feedback_(std::move(orphans));
  }

  void remember(std::vector<ThreadChange> threads) override {
    const std::lock_guard lock(mutex_);
    for (ThreadChange& thread : threads) {
      if (Courier* courier = find(couriers_, thread.receiver)) courier->remember(std::move(thread));
    }
  }

  void recall(const std::vector<GivenUp>& losses) override {
    const std::lock_guard lock(mutex_);
    for (const GivenUp& lost : losses) {
      if (Courier* courier = find(couriers_, lost.receiver)) {
        courier->recall(lost);
      } else {
        orphans_[lost.receiver] += lost.messages;
      }
    }
  }

  std::vector<std::string> targets(const Notification& note) const override {
    std::vector<std::string> names;
    const std::lock_guard lock(mutex_);
    for (const auto& courier : couriers_) {
      const Endpoint& endpoint = courier->endpoint();
      if (wants(endpoint, note) && endpoint.after.count() == 0) names.push_back(endpoint.name);
    }
    return names;
  }

  std::vector<Late> late_targets(const Notification& note) const override {
    std::vector<Late> late;
    const std::lock_guard lock(mutex_);
    for (const auto& courier : couriers_) {
      const Endpoint& endpoint = courier->endpoint();
      if (wants(endpoint, note) && endpoint.after.count() != 0)
        late.push_back({endpoint.name, endpoint.after});
    }
    return late;
  }

  std::vector<ReceiverStats> stats() const override {
    std::vector<ReceiverStats> out;
    const std::lock_guard lock(mutex_);
    for (const auto& courier : couriers_) out.push_back(courier->stats());
    for (const auto& [name, dead] : orphans_) {
      if (find(couriers_, name) != nullptr) continue;
      ReceiverStats& gone = out.emplace_back();
      gone.receiver = name;
      gone.kind = "gone";
      gone.dead = dead;
    }
    return out;
  }

  Result<std::vector<TestAnswer>> test(const std::string& receiver,
                                       const std::function<bool()>& is_cancelled) override {
    const std::vector<Endpoint> endpoints = endpoints_of(receiver);
    if (endpoints.empty())
      return fail(Errc::not_found,
                  "there is no receiver {}, or it has no channels; `vigil receivers` lists all", receiver);
    if (testing_.exchange(true)) return fail(Errc::conflict, "another test runs: wait for its end");
    auto answers = run_test(endpoints, options_, [&] { return !running_ || is_cancelled(); });
    testing_ = false;
    return answers;
  }

 private:
  static bool wants(const Endpoint& endpoint, const Notification& note) {
    if (endpoint.takes_groups || (note.kind == Kind::resolved && !endpoint.send_resolved)) return false;
    return parse_severity(note.severity) >= endpoint.min_severity;
  }

  using List = std::vector<std::shared_ptr<Courier>>;

  std::shared_ptr<Courier> make(Endpoint endpoint) const {
    return std::make_shared<Courier>(std::move(endpoint), options_, feedback_);
  }

  static Courier* find(const List& couriers, std::string_view name) {
    const auto found = std::find_if(couriers.begin(), couriers.end(),
                                    [name](const auto& courier) { return courier->endpoint().name == name; });
    return found == couriers.end() ? nullptr : found->get();
  }

  /// Of a receiver, or the one of this name.
  std::vector<Endpoint> endpoints_of(const std::string& receiver) const {
    std::vector<Endpoint> out;
    const std::lock_guard lock(mutex_);
    for (const auto& courier : couriers_) {
      const Endpoint& endpoint = courier->endpoint();
      const bool is_channel = endpoint.takes_groups && endpoint.name.rfind('/') == receiver.size() &&
                              endpoint.name.starts_with(receiver);
      if (is_channel || endpoint.name == receiver) out.push_back(endpoint);
    }
    return out;
  }

  List for_groups() const {
    List out;
    const std::lock_guard lock(mutex_);
    std::ranges::copy_if(couriers_, std::back_inserter(out),
                         [](const auto& courier) { return courier->endpoint().takes_groups; });
    return out;
  }

  /// `made` take the places of `old`, which have ended, and what they did not deliver, before anything newer.
  void hand_over(const List& old, const List& made) {
    std::vector<Row> orphans;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(couriers_, [](const auto& courier) { return courier->endpoint().takes_groups; });
      for (const auto& before : old) {
        Courier* courier = find(made, before->endpoint().name);
        if (courier != nullptr) courier->count_from(before->stats());
        std::vector<Row> left = before->take_left();    // takes in what came last, threads among it
        for (Row& row : left) row.next_attempt_ms = 0;  // the address may be another one
        if (courier != nullptr) {
          for (ThreadChange& thread : before->threads()) courier->remember(std::move(thread));
          courier->enqueue(std::move(left));
        } else {
          std::ranges::move(left, std::back_inserter(orphans));
        }
      }
      for (const auto& courier : made) {
        if (running_) courier->start();
        couriers_.push_back(courier);
      }
    }
    enqueue(std::move(orphans));
  }

  const CourierOptions options_;
  const Feedback feedback_;
  std::atomic<bool> running_ = false;
  std::atomic<bool> testing_ = false;
  mutable std::mutex mutex_;  // protects couriers_, but for start() and stop()
  List couriers_;
  std::map<std::string, std::uint64_t> orphans_;  // messages of receivers that are not configured any more
};

}  // namespace

Result<std::unique_ptr<Notifier>> Notifier::create(const NotificationsConfig& config,
                                                   std::vector<Endpoint> for_groups, Feedback feedback) {
  if (auto fine = check(config); !fine) return fine.error();
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kReady != CURLE_OK) return fail(Errc::internal, "libcurl: {}", curl_easy_strerror(kReady));
  auto notifier = std::make_unique<Couriers>(config, std::move(feedback));
  for (const ReceiverConfig& receiver : config.receivers) {
    auto endpoint = make_endpoint(receiver);
    if (!endpoint) return endpoint.error();
    notifier->add(std::move(*endpoint));
  }
  for (Endpoint& endpoint : for_groups) notifier->add(std::move(endpoint));
  return std::unique_ptr<Notifier>(std::move(notifier));
}

}  // namespace vigil::notify
