#include "aggregator/ingest/service.h"

#include "aggregator/identity/fence.h"
#include "aggregator/store/history.h"
#include "common/log/log.h"

#include <algorithm>
#include <string>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::uint32_t kIdentityRetryMs = 60'000;  // until somebody does something about it

// gRPC says "ipv4:10.0.0.1:4711" or "ipv6:%5B::1%5D:4711".
std::string readable_peer(std::string peer) {
  if (peer.starts_with("ipv4:") || peer.starts_with("ipv6:")) peer.erase(0, 5);
  for (const auto& [code, sign] : {std::pair{"%5B", "["}, std::pair{"%5D", "]"}}) {
    if (const auto at = peer.find(code); at != std::string::npos) peer.replace(at, 3, sign);
  }
  return peer;
}

}  // namespace

/// The reactor of one stream. gRPC calls it on its own threads, one reaction of a kind at a time.
class IngestService::Call final : public GrpcLink::Reactor {
 public:
  Call(IngestService& service, grpc::CallbackServerContext& context, std::string certificate)
      : service_(service),
        certificate_(std::move(certificate)),
        link_(std::make_shared<GrpcLink>(this, context.c_call(), readable_peer(context.peer()),
                                         service.options_.now_ms())) {
    service_.add(link_);
    if (service_.stopping_) {
      refuse({v1::Refusal::CODE_UNAVAILABLE, "stopping", 10'000});
    } else if (!service_.has_room() && !service_.make_room(*link_)) {
      refuse({v1::Refusal::CODE_UNAVAILABLE, "too many streams", 10'000});
    } else {
      link_->nudge();
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) return link_->finish(grpc::Status::OK);
    auto bytes = link_->message();
    if (!bytes) return;
    if (!greeted_) {
      hello(*bytes);
    } else {
      post([link = link_, wire = std::move(*bytes)](Intake& intake, std::int64_t now_ms) {
        intake.feed(link.get(), wire, now_ms);
      });
    }
    link_->handed_over();
  }

  void OnWriteDone(bool ok) override { link_->written(ok); }
  void OnCancel() override { link_->finish(grpc::Status::CANCELLED); }

  void OnDone() override {
    link_->detach();
    if (greeted_) {
      // Also past a full queue: nobody says it again, and the host would be connected for ever.
      shard().insist([&intake = *service_.intakes_[shard_], &service = service_, link = link_] {
        intake.closed(link.get(), service.options_.now_ms());
      });
    }
    service_.remove(link_);
    delete this;
  }

 private:
  void hello(const std::string& bytes) {
    v1::AgentMessage message;
    if (!message.ParseFromString(bytes))
      return refuse({v1::Refusal::CODE_PROTOCOL, "these bytes are no AgentMessage", 0});
    auto read = read_hello(message);
    if (const auto* refused = std::get_if<Refused>(&read)) return refuse(*refused);
    auto& greeting = std::get<Greeting>(read);
    if (const auto allowed = check_identity(greeting.name); !allowed)
      return refuse({v1::Refusal::CODE_IDENTITY, allowed.error().message, kIdentityRetryMs});
    greeted_ = true;
    shard_ = service_.shards_.directory().shard_of(std::string_view(greeting.name));
    post([link = link_, greeting = std::move(greeting)](Intake& intake, std::int64_t now_ms) {
      intake.open(greeting, link, now_ms);
    });
    link_->taken(false);  // and the first message after it may come
  }

  Result<void> check_identity(const std::string& name) {
    identity::Speaker speaker;
    if (service_.options_.may_speak) {
      auto allowed = service_.options_.may_speak(certificate_, name);
      if (!allowed) return allowed.error();
      speaker = std::move(*allowed);
    }
    return service_.greeted(link_, speaker);
  }

  Worker& shard() { return service_.shards_.at(shard_).worker(); }

  template <class Work>
  void post(Work work) {
    Intake& intake = *service_.intakes_[shard_];
    const bool posted = shard().post(
        [&intake, &service = service_, work = std::move(work)] { work(intake, service.options_.now_ms()); });
    if (!posted) link_->refuse({v1::Refusal::CODE_UNAVAILABLE, "busy", 5000});
  }

  void refuse(const Refused& refused) {
    service_.counters_.count_refusal(refused.code);
    log::warn(
        "ingest", "stream refused",
        {{"remote", link_->remote()}, {"reason", to_string(refused.code)}, {"message", refused.message}});
    link_->refuse(refused);
  }

  IngestService& service_;
  const std::string certificate_;  // that the connection shows; PEM
  const std::shared_ptr<GrpcLink> link_;
  bool greeted_ = false;
  std::size_t shard_ = 0;
};

IngestService::IngestService(ShardSet& shards, IngestCounters& counters, ServiceOptions options)
    : shards_(shards), counters_(counters), options_(std::move(options)) {
  for (std::size_t i = 0; i < shards.size(); ++i) {
    intakes_.push_back(std::make_unique<Intake>(shards.at(i), counters, options_.intake,
                                                Pace{delivery_interval_ms_, backfill_}));
  }
}

IngestService::~IngestService() = default;

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* IngestService::Stream(
    grpc::CallbackServerContext* context) {
  std::string certificate =
      options_.may_speak ? identity::peer_certificate(*context->auth_context()) : std::string();
  return new Call(*this, *context, std::move(certificate));  // deletes itself in OnDone
}

void IngestService::add(const std::shared_ptr<GrpcLink>& link) {
  ++count_;
  const std::lock_guard lock(mutex_);
  links_.emplace(link, silent_.insert(silent_.end(), link));
}

void IngestService::not_silent(const std::shared_ptr<GrpcLink>& link) {
  const auto found = links_.find(link);
  if (found == links_.end() || found->second == silent_.end()) return;
  silent_.erase(found->second);
  found->second = silent_.end();
}

bool IngestService::make_room(const GrpcLink& newcomer) {
  const std::lock_guard lock(mutex_);
  if (silent_.empty() || silent_.front().get() == &newcomer) return false;
  counters_.count_refusal(v1::Refusal::CODE_UNAVAILABLE);
  const std::shared_ptr<GrpcLink> oldest = silent_.front();
  not_silent(oldest);
  oldest->refuse({v1::Refusal::CODE_UNAVAILABLE, "too many streams, and no Hello came", 10'000});
  return true;
}

void IngestService::remove(const std::shared_ptr<GrpcLink>& link) {
  --count_;
  const std::lock_guard lock(mutex_);
  not_silent(link);
  links_.erase(link);
  speakers_.erase(link);
}

/// Errc::permission: its certificate was revoked while it was looked at.
Result<void> IngestService::greeted(const std::shared_ptr<GrpcLink>& link, const identity::Speaker& speaker) {
  const std::lock_guard lock(mutex_);
  not_silent(link);
  if (speaker.serial.empty()) return {};
  if (revoked_.contains(speaker.serial)) return fail(Errc::permission, "the certificate was revoked");
  speakers_[link] = speaker;
  return {};
}

void IngestService::revoked(const std::vector<std::string>& serials) {
  const std::lock_guard lock(mutex_);
  revoked_.insert(serials.begin(), serials.end());
  end_speakers([this](const identity::Speaker& speaker) { return revoked_.contains(speaker.serial); },
               "the certificate was revoked");
}

/// With the lock.
template <class Ended>
void IngestService::end_speakers(Ended ended, const char* why) {
  std::erase_if(speakers_, [&](const auto& entry) {
    if (!ended(entry.second)) return false;
    counters_.count_refusal(v1::Refusal::CODE_IDENTITY);
    log::warn("ingest", "stream ended", {{"remote", entry.first->remote()}, {"message", why}});
    entry.first->refuse({v1::Refusal::CODE_IDENTITY, why, kIdentityRetryMs});
    return true;
  });
}

void IngestService::pace(LoadFigures figures, Durability durability) {
  figures.streams = streams();
  const std::uint32_t before = delivery_interval_ms_;
  load_ = load_of(figures);
  delivery_interval_ms_ = pacing_.decide(figures, options_.now_ms());
  backfill_.set_bytes_per_second(durability == Durability::keeps_up ? backfill_rate(load_) : 0);
  if (before == delivery_interval_ms_) return;
  log::info("ingest", "agents are asked to deliver at another interval",
            {{"from_ms", before},
             {"to_ms", delivery_interval_ms_.load()},
             {"load", load_.load()},
             {"streams", figures.streams}});
}

void IngestService::sweep() {
  const std::int64_t now_ms = options_.now_ms();
  end_late(now_ms);
  std::vector<std::shared_ptr<GrpcLink>> links;
  {
    const std::lock_guard lock(mutex_);
    links.reserve(links_.size());
    for (const auto& [link, place] : links_) links.push_back(link);
  }
  for (const auto& link : links) link->cancel_if_stuck(now_ms, options_.refusal_timeout_ms);
}

void IngestService::end_late(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  while (!silent_.empty() && now_ms - silent_.front()->opened_ms() >= options_.hello_timeout_ms) {
    const std::shared_ptr<GrpcLink> late = silent_.front();
    not_silent(late);
    counters_.count_refusal(v1::Refusal::CODE_PROTOCOL);
    late->refuse(
        {v1::Refusal::CODE_PROTOCOL, fmt::format("no Hello within {} ms", options_.hello_timeout_ms), 0});
  }
  end_speakers([now_ms](const identity::Speaker& speaker) { return now_ms >= speaker.not_after_ms; },
               "the certificate expired");
}

void IngestService::durable(std::span<const DurableBatch> batches) {
  std::vector<std::vector<DurableBatch>> by_shard(shards_.size());
  for (const DurableBatch& batch : batches)
    by_shard[shards_.directory().shard_of(batch.host)].push_back(batch);
  for (std::size_t i = 0; i < by_shard.size(); ++i) {
    if (by_shard[i].empty()) continue;
    // A lost post loses nothing: acknowledgements are cumulative, the next one covers it.
    shards_.at(i).worker().post(
        [this, i, part = std::move(by_shard[i])] { intakes_[i]->durable(part, options_.now_ms()); });
  }
}

void IngestService::request(const std::string& host, v1::ActionRequest action,
                            std::function<void(const std::string& why)> refused) {
  const std::size_t shard = shards_.directory().shard_of(std::string_view(host));
  const bool posted = shards_.at(shard).worker().post(
      [&intake = *intakes_[shard], host, action = std::move(action), refused] {
        const auto asked = intake.request(host, action);
        if (!asked) refused(asked.error().message);
      });
  if (!posted) refused("the aggregator is busy");
}

void IngestService::stop() {
  stopping_ = true;
  const std::lock_guard lock(mutex_);
  for (const auto& [link, place] : links_)
    link->refuse({v1::Refusal::CODE_UNAVAILABLE, "the aggregator is stopping", 1000});
}

}  // namespace vigil::aggregator
