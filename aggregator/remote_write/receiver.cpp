#include "aggregator/remote_write/receiver.h"

#include "common/text/human.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace vigil::aggregator::remote_write {
namespace {

constexpr const char* kAnswers = "vigil_aggregator_remote_write_requests_total";
constexpr const char* kSamples = "vigil_aggregator_remote_write_samples_total";
constexpr const char* kSamplesHelp = "Samples that came by remote_write, by what became of them.";
constexpr std::int64_t kRetryMs = 5000;

self::Counter& samples(self::Registry& registry, const char* outcome) {
  return registry.counter(kSamples, kSamplesHelp, {{"outcome", outcome}});
}

unsigned status_of(const Error& error) {
  switch (error.code) {
    case Errc::unsupported:
      return 415;
    case Errc::limit:
      return 413;
    case Errc::parse:
      return 400;
    default:
      return 503;
  }
}

/// "10.0.0.1:4711" -> "10.0.0.1": each connection has another port.
std::string address_of(const std::string& remote) {
  return remote.substr(0, remote.rfind(':'));
}

}  // namespace

Counters::Counters(self::Registry& all)
    : bytes(all.counter("vigil_aggregator_remote_write_received_bytes_total",
                        "Bytes of remote_write requests, as they came.")),
      stored(samples(all, "stored")),
      repeated(samples(all, "repeated")),
      invalid(samples(all, "invalid")),
      conflicting(samples(all, "conflicting")),
      too_old(samples(all, "too_old")),
      too_new(samples(all, "too_new")),
      over_limit(samples(all, "over_limit")),
      exemplars(all.counter("vigil_aggregator_remote_write_exemplars_dropped_total",
                            "Exemplars that came by remote_write: they are not stored.")),
      histograms(all.counter("vigil_aggregator_remote_write_histograms_dropped_total",
                             "Native histograms that came by remote_write: they are not stored.")) {
  for (const unsigned status : {204U, 400U, 413U, 415U, 429U, 503U})
    answers[status] =
        &all.counter(kAnswers, "Requests of remote_write, by the status they were answered with.",
                     {{"code", std::to_string(status)}});
}

void Counters::count_answer(unsigned status) {
  if (const auto at = answers.find(status); at != answers.end()) at->second->add();
}

/// What is known of one request so far. Sent when the last part of it is in.
class Receiver::Answer {
 public:
  Answer(Counters& counters, http::Responder responder)
      : counters_(counters), responder_(std::move(responder)) {}

  void refuse(unsigned status, const std::string& message, std::int64_t retry_ms = 0) {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(sent_, true)) return;
    }
    http::Response response = with_counts(status, message + "\n");
    if (retry_ms > 0) response.headers.emplace_back("Retry-After", std::to_string((retry_ms + 999) / 1000));
    send(std::move(response));
  }

  /// So many parts are to come.
  void expect(std::size_t parts, std::uint64_t invalid, const std::string& problem,
              std::uint64_t histograms) {
    const std::lock_guard lock(mutex_);
    parts_ = parts;
    invalid_ = invalid;
    histograms_ = histograms;
    total_.problem = problem;
  }

  void add(const LocalWritten& part) {
    {
      const std::lock_guard lock(mutex_);
      total_.stored += part.stored;
      total_.repeated += part.repeated;
      total_.conflicting += part.conflicting;
      total_.too_old += part.too_old;
      total_.too_new += part.too_new;
      total_.over_limit += part.over_limit;
      if (total_.problem.empty()) total_.problem = part.problem;
      if (part.failed && !total_.failed) total_.failed = part.failed;
      if (--parts_ > 0) return;
    }
    finish();
  }

  void finish() {
    count();
    if (total_.failed) return refuse(503, total_.failed->message, kRetryMs);
    const std::uint64_t refused = total_.refused() + invalid_;
    if (refused == 0 && histograms_ == 0) return refuse_nothing();
    std::string text = counted(total_.stored + total_.repeated, "sample is stored", "samples are stored");
    const auto tell = [&text](std::uint64_t count, std::string_view what) {
      if (count > 0) text += fmt::format(", {} {}", count, what);
    };
    tell(invalid_, "are of series that cannot be stored");
    tell(total_.conflicting, "differ from what is stored for their time");
    tell(total_.too_old, "are too old");
    tell(total_.too_new, "are too far in the future");
    tell(total_.over_limit, "are of more new series or hosts than are taken");
    tell(histograms_, "native histograms cannot be stored");
    if (!total_.problem.empty()) text += "; the first: " + total_.problem;
    refuse(400, text);
  }

 private:
  void refuse_nothing() {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(sent_, true)) return;
    }
    send(with_counts(204, {}));
  }

  http::Response with_counts(unsigned status, std::string body) const {
    http::Response response;
    response.status = status;
    response.body = std::move(body);
    const std::uint64_t written = total_.failed ? 0 : total_.stored + total_.repeated;
    response.headers = {{"X-Prometheus-Remote-Write-Samples-Written", std::to_string(written)},
                        {"X-Prometheus-Remote-Write-Histograms-Written", "0"},
                        {"X-Prometheus-Remote-Write-Exemplars-Written", "0"}};
    return response;
  }

  void send(http::Response response) {
    counters_.count_answer(response.status);
    responder_.send(std::move(response));
  }

  void count() const {
    counters_.stored.add(total_.stored);
    counters_.repeated.add(total_.repeated);
    counters_.invalid.add(invalid_);
    counters_.conflicting.add(total_.conflicting);
    counters_.too_old.add(total_.too_old);
    counters_.too_new.add(total_.too_new);
    counters_.over_limit.add(total_.over_limit);
  }

  Counters& counters_;
  const http::Responder responder_;
  std::mutex mutex_;  // protects what follows
  bool sent_ = false;
  std::size_t parts_ = 0;
  std::uint64_t invalid_ = 0;
  std::uint64_t histograms_ = 0;
  LocalWritten total_;
};

Receiver::Receiver(const RemoteWriteConfig& config, LocalWriter& writer, self::Registry& registry,
                   std::function<std::int64_t()> now_ms)
    : config_(config),
      writer_(writer),
      now_ms_(std::move(now_ms)),
      counters_(registry),
      senders_({static_cast<double>(config.max_rate), static_cast<double>(config.max_new_series)}),
      worker_("remote-write", kMostWaiting) {
  registry.collect(self::Kind::gauge, "vigil_aggregator_remote_write_senders",
                   "Addresses that sent by remote_write lately.",
                   [this] { return static_cast<double>(senders_.size()); });
}

Receiver::~Receiver() {
  stop();
}

void Receiver::stop() {
  stopping_ = true;
  worker_.stop();
}

void Receiver::add_route(http::Router& router) {
  router.add_later("POST", "/api/v1/write", access::kRemoteWrite,
                   [this](http::Request request, const http::Responder& responder) {
                     take(std::move(request), responder);
                   },
                   {config_.max_request.count});
}

void Receiver::take(http::Request request, const http::Responder& responder) {
  auto answer = std::make_shared<Answer>(counters_, responder);
  const std::size_t bytes = request.body.size();
  counters_.bytes.add(bytes);
  if (waiting_bytes_.fetch_add(bytes) + bytes > kMostWaitingBytes) {
    waiting_bytes_ -= bytes;
    return answer->refuse(503, "busy: too much waits to be read", kRetryMs);
  }
  const auto shared = std::make_shared<http::Request>(std::move(request));
  const bool posted = !stopping_ && worker_.post([this, shared, answer, bytes] {
    if (stopping_)
      answer->refuse(503, "the aggregator is stopping", kRetryMs);
    else
      read(*shared, answer);
    waiting_bytes_ -= bytes;
  });
  if (posted) return;
  waiting_bytes_ -= bytes;
  answer->refuse(503, stopping_ ? "the aggregator is stopping" : "busy: too many requests wait", kRetryMs);
}

void Receiver::read(const http::Request& request, const std::shared_ptr<Answer>& answer) {
  const auto refuse = [&](const Error& error) { answer->refuse(status_of(error), error.message); };
  const auto version = version_of(request.header("content-type"), request.header("content-encoding"));
  if (!version) return refuse(version.error());
  const auto plain = uncompress(request.body, config_.max_uncompressed.count);
  if (!plain) return refuse(plain.error());
  const auto message =
      read_request(*version, *plain, {config_.max_series, config_.max_samples, config_.max_labels});
  if (!message) return refuse(message.error());
  hand_over(*message, address_of(request.remote), answer);
}

void Receiver::hand_over(const Request& request, const std::string& sender,
                         const std::shared_ptr<Answer>& answer) {
  const Senders::Admitted admitted = senders_.admit(sender, request.samples.size(), now_ms_());
  if (admitted.wait_ms) {
    return answer->refuse(429,
                          fmt::format("{} sends more than {} samples a second, remote_write.max_rate", sender,
                                      config_.max_rate),
                          *admitted.wait_ms);
  }
  metadata_.put(request.metadata);
  counters_.exemplars.add(request.exemplars);
  counters_.histograms.add(request.histograms);
  Routed routed = route(request, {config_.max_label_name, config_.max_label_value},
                        [this](std::string_view name) { return metadata_.type_of(name); });
  answer->expect(routed.writes.size(), routed.invalid, routed.problem, request.histograms);
  if (routed.writes.empty()) return answer->finish();
  for (LocalWrite& write : routed.writes) {
    write.out_of_order_ms = config_.out_of_order.count();
    write.quota = admitted.quota;
    const std::size_t samples = write.samples.size();
    writer_.write(std::move(write), [answer, samples](const LocalWritten& written) {
      if (!written.failed || written.failed->code != Errc::limit) return answer->add(written);
      LocalWritten refused;  // no more hosts are taken: sending it again would not help
      refused.over_limit = samples;
      refused.problem = written.failed->message;
      answer->add(refused);
    });
  }
}

}  // namespace vigil::aggregator::remote_write
