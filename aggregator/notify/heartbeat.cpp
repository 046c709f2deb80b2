#include "aggregator/notify/heartbeat.h"

#include "aggregator/notify/endpoint.h"
#include "aggregator/notify/requests.h"
#include "aggregator/notify/sockets.h"
#include "aggregator/notify/transfer.h"
#include "common/log/log.h"
#include "common/threads/worker.h"
#include "common/version.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <utility>

namespace vigil::notify {
namespace {

class Beats : public Heartbeat {
 public:
  Beats(std::string url, std::chrono::milliseconds interval, std::chrono::milliseconds timeout,
        std::function<std::string()> trouble)
      : url_(std::move(url)), timeout_(std::min(interval, timeout)), trouble_(std::move(trouble)) {
    worker_.every(interval, [this] { beat(); });
  }
  ~Beats() override { stop(); }

  void start() override {
    worker_.post([this] { beat(); });
    worker_.start();
  }
  void stop() override {
    stopping_ = true;
    sockets_.cut();  // a beat is worth no waiting
    worker_.stop();
  }
  HeartbeatStats stats() const override {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  void beat() {
    if (const std::string trouble = trouble_(); !trouble.empty())
      return note(&HeartbeatStats::held, "not sent: " + trouble);
    Request request;
    request.url = url_;
    request.is_get = true;
    request.headers = {fmt::format("User-Agent: vigil/{}", kVersion)};
    transfer_.prepare(std::move(request), timeout_);
    sockets_.attach(transfer_.handle(), Reach::everywhere);
    const auto failure = transfer_.judge(curl_easy_perform(transfer_.handle()));
    if (stopping_) return;
    if (failure) return note(&HeartbeatStats::failures, failure->error);
    note(&HeartbeatStats::sent, "");
  }

  void note(std::uint64_t HeartbeatStats::*count, std::string error) {
    const std::lock_guard lock(mutex_);
    if (!error.empty() && stats_.last_error.empty())
      log::warn("notify", "the heartbeat did not get through", {{"error", error}});
    if (error.empty() && !stats_.last_error.empty()) log::info("notify", "the heartbeat gets through again");
    ++(stats_.*count);
    stats_.last_error = std::move(error);
  }

  const std::string url_;
  const std::chrono::milliseconds timeout_;
  const std::function<std::string()> trouble_;
  std::atomic<bool> stopping_ = false;
  Sockets sockets_;
  Transfer transfer_;
  mutable std::mutex mutex_;  // protects stats_
  HeartbeatStats stats_;
  Worker worker_{"heartbeat"};
};

}  // namespace

Result<std::unique_ptr<Heartbeat>> Heartbeat::create(const HeartbeatConfig& config,
                                                     std::chrono::milliseconds timeout,
                                                     std::function<std::string()> trouble) {
  if (config.url.empty() && config.url_file.empty()) return std::unique_ptr<Heartbeat>();
  if (!config.url.empty() && !config.url_file.empty())
    return config.at.wrong("url", "give either url or url_file");
  std::string url = config.url;
  const std::string_view key = url.empty() ? "url_file" : "url";
  if (url.empty()) {
    auto secret = config::read_secret(config.url_file);
    if (!secret) return config.at.wrong(key, secret.error().message);
    url = std::move(*secret);
  }
  if (auto fine = check_url(url); !fine) return config.at.wrong(key, fine.error().message);
  return std::unique_ptr<Heartbeat>(
      std::make_unique<Beats>(std::move(url), config.interval, timeout, std::move(trouble)));
}

}  // namespace vigil::notify
