#include "aggregator/notify/notifier.h"

#include "aggregator/notify/transfer.h"
#include "common/log/log.h"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

namespace vigil::notify {
namespace {

constexpr std::int64_t kIdleMs = 60'000;
constexpr std::int64_t kFarewellMs = 2'000;

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A receiver at work: its queue, and the message on the wire.
struct Station {
  Station(Endpoint made, LaneOptions options) : endpoint(std::move(made)), lane(options) {}
  const Endpoint endpoint;
  Lane lane;
  Transfer transfer;
  std::optional<Shipment> on_the_wire;
  bool failing = false;
};

class CurlNotifier : public Notifier {
 public:
  CurlNotifier(std::chrono::milliseconds timeout, Feedback feedback)
      : timeout_(timeout), feedback_(std::move(feedback)), multi_(curl_multi_init()) {}
  ~CurlNotifier() override { stop(); }

  void add(Endpoint endpoint, LaneOptions options) {
    options.burst = endpoint.burst;
    ReceiverStats stats;
    stats.receiver = endpoint.name;
    stats.kind = endpoint.kind;
    stats_.push_back(std::move(stats));
    stations_.push_back(std::make_unique<Station>(std::move(endpoint), options));
  }

  void start() override {
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "notify");
  }

  void stop() override {
    stopping_ = true;
    curl_multi_wakeup(multi_.get());
    if (thread_.joinable()) thread_.join();
  }

  void enqueue(std::vector<Row> rows) override {
    {
      const std::lock_guard lock(mutex_);
      for (Row& row : rows) incoming_.push_back(std::move(row));
    }
    curl_multi_wakeup(multi_.get());
  }

  std::vector<std::string> targets(const Notification& note) const override {
    std::vector<std::string> names;
    for (const auto& station : stations_) {
      const Endpoint& endpoint = station->endpoint;
      if (note.kind == Kind::resolved && !endpoint.send_resolved) continue;
      if (parse_severity(note.severity) >= endpoint.min_severity) names.push_back(endpoint.name);
    }
    return names;
  }

  std::vector<ReceiverStats> stats() const override {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  // The notifier's thread:
  void run();
  void take_incoming();
  void send_what_is_due(std::int64_t now_ms);
  void reap();
  void finish(Station& station, CURLcode code);
  void tell(const Station& station, const std::vector<Delivery>& deliveries, const std::string& error);
  int wait_ms(std::int64_t now_ms) const;
  bool busy() const {
    return std::any_of(stations_.begin(), stations_.end(),
                       [](const auto& station) { return station->on_the_wire.has_value(); });
  }

  struct CloseMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  const std::chrono::milliseconds timeout_;
  const Feedback feedback_;
  std::unique_ptr<CURLM, CloseMulti> multi_;
  std::vector<std::unique_ptr<Station>> stations_;  // constant after create(), their insides the thread's
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
  std::minstd_rand random_{std::random_device{}()};

  mutable std::mutex mutex_;  // protects what follows
  std::vector<Row> incoming_;
  std::vector<ReceiverStats> stats_;  // in the order of stations_
};

void CurlNotifier::run() {
  std::int64_t leave_at_ms = 0;
  while (true) {
    take_incoming();
    const std::int64_t now = wall_ms();
    if (stopping_ && leave_at_ms == 0) leave_at_ms = now + kFarewellMs;
    if (!stopping_) send_what_is_due(now);
    if (stopping_ && (!busy() || now >= leave_at_ms)) break;
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    reap();
    curl_multi_poll(multi_.get(), nullptr, 0, wait_ms(wall_ms()), nullptr);
  }
  for (const auto& station : stations_) {
    if (station->on_the_wire) curl_multi_remove_handle(multi_.get(), station->transfer.handle());
  }
}

void CurlNotifier::take_incoming() {
  std::vector<Row> rows;
  {
    const std::lock_guard lock(mutex_);
    rows.swap(incoming_);
  }
  Delivery orphans{{}, Outcome::dead, 0, 0, "its receiver is not configured any more"};
  for (Row& row : rows) {
    const auto found = std::find_if(stations_.begin(), stations_.end(), [&row](const auto& station) {
      return station->endpoint.name == row.receiver;
    });
    if (found != stations_.end()) {
      (*found)->lane.enqueue(std::move(row));
    } else {
      orphans.ids.push_back(row.id);
    }
  }
  if (orphans.ids.empty()) return;
  log::warn("notify", "messages for receivers that are not configured any more are given up",
            {{"messages", orphans.ids.size()}});
  feedback_(std::move(orphans));
}

void CurlNotifier::send_what_is_due(std::int64_t now_ms) {
  for (const auto& station : stations_) {
    if (station->on_the_wire) continue;
    station->on_the_wire = station->lane.next(now_ms);
    if (!station->on_the_wire) continue;
    station->transfer.prepare(station->endpoint.render(*station->on_the_wire, now_ms), timeout_);
    curl_multi_add_handle(multi_.get(), station->transfer.handle());
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < stations_.size(); ++i) stats_[i].queued = stations_[i]->lane.size();
}

/// Takes what curl has finished, and sends the next message of those lanes at once.
void CurlNotifier::reap() {
  int left = 0;
  bool any = false;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    for (const auto& station : stations_) {
      if (station->transfer.handle() != easy) continue;
      curl_multi_remove_handle(multi_.get(), easy);
      finish(*station, code);
      any = true;
    }
  }
  if (!any || stopping_) return;
  send_what_is_due(wall_ms());
  int running = 0;
  curl_multi_perform(multi_.get(), &running);
}

void CurlNotifier::finish(Station& station, CURLcode code) {
  const Shipment shipment = std::move(*station.on_the_wire);
  station.on_the_wire.reset();
  const std::int64_t now = wall_ms();
  const auto failure = station.transfer.judge(code);
  if (!failure) {
    if (std::exchange(station.failing, false))
      log::info("notify", "receiver accepts messages again", {{"receiver", station.endpoint.name}});
    tell(station, {station.lane.delivered(shipment, now)}, "");
    return;
  }
  if (!std::exchange(station.failing, true)) {
    log::warn("notify", "receiver does not accept a message; it will be tried again",
              {{"receiver", station.endpoint.name}, {"error", failure->error}});
  }
  const double random = static_cast<double>(random_() - std::minstd_rand::min()) /
                        static_cast<double>(std::minstd_rand::max() - std::minstd_rand::min());
  tell(station, station.lane.failed(shipment, *failure, now, random), failure->error);
}

void CurlNotifier::tell(const Station& station, const std::vector<Delivery>& deliveries,
                        const std::string& error) {
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < stations_.size(); ++i) {
      if (stations_[i].get() != &station) continue;
      ++(error.empty() ? stats_[i].delivered : stats_[i].failures);
      stats_[i].last_error = error;
      stats_[i].queued = station.lane.size();
      for (const Delivery& delivery : deliveries) {
        if (delivery.outcome == Outcome::dead) stats_[i].dead += delivery.ids.size();
      }
    }
  }
  for (const Delivery& delivery : deliveries) {
    if (delivery.outcome == Outcome::dead) {
      log::error("notify", "messages could not be delivered and are given up",
                 {{"receiver", station.endpoint.name},
                  {"messages", delivery.ids.size()},
                  {"error", delivery.error}});
    }
    feedback_(delivery);
  }
}

int CurlNotifier::wait_ms(std::int64_t now_ms) const {
  std::int64_t wait = stopping_ ? 50 : kIdleMs;
  for (const auto& station : stations_) {
    if (station->on_the_wire) continue;
    if (const auto wake = station->lane.wake_ms(now_ms))
      wait = std::min(wait, std::max<std::int64_t>(*wake - now_ms, 0));
  }
  return static_cast<int>(wait);
}

}  // namespace

Result<std::unique_ptr<Notifier>> Notifier::create(const NotificationsConfig& config, Feedback feedback) {
  if (auto fine = check(config); !fine) return fine.error();
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kReady != CURLE_OK) return fail(Errc::internal, "libcurl: {}", curl_easy_strerror(kReady));
  auto notifier = std::make_unique<CurlNotifier>(config.timeout, std::move(feedback));
  for (const ReceiverConfig& receiver : config.receivers) {
    auto endpoint = make_endpoint(receiver);
    if (!endpoint) return endpoint.error();
    notifier->add(std::move(*endpoint), LaneOptions{config.give_up_after.count(), 0});
  }
  return std::unique_ptr<Notifier>(std::move(notifier));
}

}  // namespace vigil::notify
