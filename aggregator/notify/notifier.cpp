#include "aggregator/notify/notifier.h"

#include "aggregator/notify/courier.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::notify {
namespace {

class Couriers : public Notifier {
 public:
  explicit Couriers(Feedback feedback) : feedback_(std::move(feedback)) {}
  ~Couriers() override { stop(); }

  void add(Endpoint endpoint, const LaneOptions& options, std::chrono::milliseconds timeout) {
    couriers_.push_back(std::make_unique<Courier>(std::move(endpoint), options, timeout, feedback_));
  }

  void start() override {
    for (const auto& courier : couriers_) courier->start();
  }

  void stop() override {
    for (const auto& courier : couriers_) courier->begin_stop();
    for (const auto& courier : couriers_) courier->await_stop();
  }

  void enqueue(std::vector<Row> rows) override {
    Delivery orphans{{}, Outcome::dead, 0, 0, "its receiver is not configured any more"};
    for (Row& row : rows) {
      const auto found = std::find_if(couriers_.begin(), couriers_.end(), [&row](const auto& courier) {
        return courier->endpoint().name == row.receiver;
      });
      if (found != couriers_.end()) {
        (*found)->enqueue(std::move(row));
      } else {
        orphans.ids.push_back(row.id);
      }
    }
    if (orphans.ids.empty()) return;
    log::warn("notify", "messages for receivers that are not configured any more are given up",
              {{"messages", orphans.ids.size()}});
    feedback_(std::move(orphans));
  }

  std::vector<std::string> targets(const Notification& note) const override {
    std::vector<std::string> names;
    for (const auto& courier : couriers_) {
      const Endpoint& endpoint = courier->endpoint();
      if (note.kind == Kind::resolved && !endpoint.send_resolved) continue;
      if (parse_severity(note.severity) >= endpoint.min_severity) names.push_back(endpoint.name);
    }
    return names;
  }

  std::vector<ReceiverStats> stats() const override {
    std::vector<ReceiverStats> out;
    for (const auto& courier : couriers_) out.push_back(courier->stats());
    return out;
  }

 private:
  const Feedback feedback_;
  std::vector<std::unique_ptr<Courier>> couriers_;
};

}  // namespace

Result<std::unique_ptr<Notifier>> Notifier::create(const NotificationsConfig& config, Feedback feedback) {
  if (auto fine = check(config); !fine) return fine.error();
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kReady != CURLE_OK) return fail(Errc::internal, "libcurl: {}", curl_easy_strerror(kReady));
  auto notifier = std::make_unique<Couriers>(std::move(feedback));
  for (const ReceiverConfig& receiver : config.receivers) {
    auto endpoint = make_endpoint(receiver);
    if (!endpoint) return endpoint.error();
    notifier->add(std::move(*endpoint), LaneOptions{config.give_up_after.count(), 0}, config.timeout);
  }
  return std::unique_ptr<Notifier>(std::move(notifier));
}

}  // namespace vigil::notify
