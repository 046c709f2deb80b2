#include "aggregator/notify/courier.h"

#include "common/clock.h"
#include "common/log/log.h"

#include <pthread.h>

#include <utility>

namespace vigil::notify {
namespace {

constexpr std::int64_t kIdleMs = 60'000;
constexpr std::chrono::milliseconds kFarewell{2000};

}  // namespace

Courier::Courier(Endpoint endpoint, const LaneOptions& options, std::chrono::milliseconds timeout,
                 Notifier::Feedback feedback)
    : endpoint_(std::move(endpoint)),
      timeout_(timeout),
      feedback_(std::move(feedback)),
      multi_(curl_multi_init()),
      lane_({options.give_up_after_ms, endpoint_.burst}) {
  stats_.receiver = endpoint_.name;
  stats_.kind = endpoint_.kind;
  stats_.takes_groups = endpoint_.takes_groups;
}

Courier::~Courier() {
  begin_stop();
  await_stop();
}

void Courier::start() {
  thread_ = std::thread([this] {
    run();
    auto multi = [this] {
      const std::lock_guard lock(mutex_);
      return std::move(multi_);
    }();
    multi.reset();  // says goodbye on idle connections, which may take as long as a transfer
    const std::lock_guard lock(mutex_);
    ended_ = true;
    ended_signal_.notify_all();
  });
  pthread_setname_np(thread_.native_handle(), "notify");
}

void Courier::begin_stop() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  leave_at_ = std::chrono::steady_clock::now() + kFarewell;
  stopping_ = true;  // after leave_at_, which the thread looks at once it sees this
  if (multi_) curl_multi_wakeup(multi_.get());
}

void Courier::await_stop() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    if (!ended_signal_.wait_until(lock, leave_at_, [this] { return ended_; })) sockets_.cut();
  }
  thread_.join();
}

std::vector<Row> Courier::take_left() {
  take_incoming();
  return lane_.take_all();
}

void Courier::count_from(const ReceiverStats& stats) {
  const std::lock_guard lock(mutex_);
  stats_.delivered = stats.delivered;
  stats_.failures = stats.failures;
  stats_.dead = stats.dead;
  stats_.last_error = stats.last_error;
  failing_ = !stats.last_error.empty();
}

void Courier::enqueue(Row row) {
  const std::lock_guard lock(mutex_);
  incoming_.push_back(std::move(row));
  if (multi_) curl_multi_wakeup(multi_.get());
}

ReceiverStats Courier::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Courier::run() {
  while (true) {
    take_incoming();
    if (!stopping_) send_what_is_due(wall_ms());
    if (stopping_ && (!on_the_wire_ || std::chrono::steady_clock::now() >= leave_at_)) break;
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    reap();
    curl_multi_poll(multi_.get(), nullptr, 0, wait_ms(wall_ms()), nullptr);
  }
  if (on_the_wire_) {
    sockets_.cut();  // a goodbye in mid-sentence would be waited for
    curl_multi_remove_handle(multi_.get(), transfer_.handle());
  }
}

void Courier::take_incoming() {
  std::vector<Row> rows;
  {
    const std::lock_guard lock(mutex_);
    rows.swap(incoming_);
  }
  for (Row& row : rows) lane_.enqueue(std::move(row));
}

void Courier::send_what_is_due(std::int64_t now_ms) {
  if (!on_the_wire_) {
    on_the_wire_ = lane_.next(now_ms);
    if (on_the_wire_) {
      Request request = endpoint_.render(*on_the_wire_, now_ms);
      const auto timeout = request.timeout.count() > 0 ? request.timeout : timeout_;
      transfer_.prepare(std::move(request), timeout);
      sockets_.attach(transfer_.handle());
      if (curl_multi_add_handle(multi_.get(), transfer_.handle()) != CURLM_OK) finish(CURLE_FAILED_INIT);
    }
  }
  const std::lock_guard lock(mutex_);
  stats_.queued = lane_.size();
}

/// Takes what curl has finished, and sends the next message at once.
void Courier::reap() {
  int left = 0;
  bool any = false;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi_.get(), transfer_.handle());
    finish(code);
    any = true;
  }
  if (!any || stopping_) return;
  send_what_is_due(wall_ms());
  int running = 0;
  curl_multi_perform(multi_.get(), &running);
}

void Courier::finish(CURLcode code) {
  const Shipment shipment = std::move(*on_the_wire_);
  on_the_wire_.reset();
  const std::int64_t now = wall_ms();
  const auto failure = transfer_.judge(code);
  if (!failure) {
    if (std::exchange(failing_, false))
      log::info("notify", "receiver accepts messages again", {{"receiver", endpoint_.name}});
    tell({lane_.delivered(shipment, now)}, "");
    return;
  }
  if (!std::exchange(failing_, true)) {
    log::warn("notify", "receiver does not accept a message; it will be tried again",
              {{"receiver", endpoint_.name}, {"error", failure->error}});
  }
  const double random = static_cast<double>(random_() - std::minstd_rand::min()) /
                        static_cast<double>(std::minstd_rand::max() - std::minstd_rand::min());
  tell(lane_.failed(shipment, *failure, now, random), failure->error);
}

void Courier::tell(const std::vector<Delivery>& deliveries, const std::string& error) {
  {
    const std::lock_guard lock(mutex_);
    ++(error.empty() ? stats_.delivered : stats_.failures);
    stats_.last_error = error;
    stats_.queued = lane_.size();
    for (const Delivery& delivery : deliveries) {
      if (delivery.outcome == Outcome::dead) stats_.dead += delivery.ids.size();
    }
  }
  for (const Delivery& delivery : deliveries) {
    if (delivery.outcome == Outcome::dead) {
      log::error(
          "notify", "messages could not be delivered and are given up",
          {{"receiver", endpoint_.name}, {"messages", delivery.ids.size()}, {"error", delivery.error}});
    }
    feedback_(delivery);
  }
}

int Courier::wait_ms(std::int64_t now_ms) const {
  std::int64_t wait = stopping_ ? 50 : kIdleMs;
  if (!on_the_wire_) {
    if (const auto wake = lane_.wake_ms(now_ms))
      wait = std::min(wait, std::max<std::int64_t>(*wake - now_ms, 0));
  }
  return static_cast<int>(wait);
}

}  // namespace vigil::notify
