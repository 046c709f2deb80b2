#include "aggregator/notify/notifier.h"

#include "aggregator/notify/courier.h"
#include "common/log/log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string_view>
#include <utility>

namespace vigil::notify {
namespace {

class Couriers : public Notifier {
 public:
  Couriers(const NotificationsConfig& config, Feedback feedback)
      : lane_{config.give_up_after.count(), 0}, timeout_(config.timeout), feedback_(std::move(feedback)) {}
  ~Couriers() override { stop(); }

  void add(Endpoint endpoint) { couriers_.push_back(make(std::move(endpoint))); }

  void start() override {
    running_ = true;
    for (const auto& courier : couriers_) courier->start();
  }

  void stop() override {
    running_ = false;
    for (const auto& courier : couriers_) courier->begin_stop();
    for (const auto& courier : couriers_) courier->await_stop();
  }

  void replace_for_groups(std::vector<Endpoint> endpoints) override {
    List made;
    for (Endpoint& endpoint : endpoints) made.push_back(make(std::move(endpoint)));
    const List old = swap_for_groups(made);
    for (const auto& courier : old) courier->begin_stop();
    std::vector<Row> left;
    for (const auto& courier : old) {
      courier->await_stop();
      for (Row& row : courier->take_left()) left.push_back(std::move(row));
    }
    enqueue(std::move(left));
  }

  void enqueue(std::vector<Row> rows) override {
    Delivery orphans{{}, Outcome::dead, 0, 0, "its receiver is not configured any more"};
    {
      const std::lock_guard lock(mutex_);  // until they are taken: no courier ends meanwhile
      for (Row& row : rows) {
        if (Courier* courier = find(couriers_, row.receiver)) {
          courier->enqueue(std::move(row));
        } else {
          orphans.ids.push_back(row.id);
        }
      }
    }
    if (orphans.ids.empty()) return;
    log::warn("notify", "messages for receivers that are not configured any more are given up",
              {{"messages", orphans.ids.size()}});
    feedback_(std::move(orphans));
  }

  std::vector<std::string> targets(const Notification& note) const override {
    std::vector<std::string> names;
    const std::lock_guard lock(mutex_);
    for (const auto& courier : couriers_) {
      const Endpoint& endpoint = courier->endpoint();
      if (endpoint.takes_groups) continue;
      if (note.kind == Kind::resolved && !endpoint.send_resolved) continue;
      if (parse_severity(note.severity) >= endpoint.min_severity) names.push_back(endpoint.name);
    }
    return names;
  }

  std::vector<ReceiverStats> stats() const override {
    std::vector<ReceiverStats> out;
    const std::lock_guard lock(mutex_);
    for (const auto& courier : couriers_) out.push_back(courier->stats());
    return out;
  }

 private:
  using List = std::vector<std::shared_ptr<Courier>>;

  std::shared_ptr<Courier> make(Endpoint endpoint) const {
    return std::make_shared<Courier>(std::move(endpoint), lane_, timeout_, feedback_);
  }

  static Courier* find(const List& couriers, std::string_view name) {
    const auto found = std::find_if(couriers.begin(), couriers.end(),
                                    [name](const auto& courier) { return courier->endpoint().name == name; });
    return found == couriers.end() ? nullptr : found->get();
  }

  /// Gives those that were there.
  List swap_for_groups(const List& made) {
    const std::lock_guard lock(mutex_);
    const auto groups = std::stable_partition(couriers_.begin(), couriers_.end(), [](const auto& courier) {
      return !courier->endpoint().takes_groups;
    });
    List old(groups, couriers_.end());
    couriers_.erase(groups, couriers_.end());
    for (const auto& courier : made) {
      if (const Courier* before = find(old, courier->endpoint().name)) courier->count_from(before->stats());
      if (running_) courier->start();
      couriers_.push_back(courier);
    }
    return old;
  }

  const LaneOptions lane_;
  const std::chrono::milliseconds timeout_;
  const Feedback feedback_;
  std::atomic<bool> running_ = false;
  mutable std::mutex mutex_;  // protects couriers_, but for start() and stop()
  List couriers_;
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
