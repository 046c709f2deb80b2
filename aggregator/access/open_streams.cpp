#include "aggregator/access/open_streams.h"

#include "aggregator/access/held_call.h"
#include "aggregator/access/rpc_needs.h"
#include "common/log/log.h"

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace vigil::aggregator::access {
namespace {

/// What a caller whose token is gone is told: which one.
grpc::Status said_to(const Caller& caller, const grpc::Status& status) {
  if (caller.kind != Caller::Kind::token || status.error_code() != grpc::StatusCode::UNAUTHENTICATED)
    return status;
  return {status.error_code(), fmt::format("the token {} expired or was revoked", caller.name)};
}

/// Who has the socket may do everything anyhow.
std::string who_calls(const Caller& caller, const grpc::ServerContextBase& context) {
  if (caller.kind == Caller::Kind::socket) return "";
  const std::string_view kind = to_string(caller.kind);
  if (!caller.name.empty()) return fmt::format("{} {}", kind, caller.name);
  return fmt::format("{} {}", kind, source_of(address_of_call(context)));
}

grpc::Status too_many(const Caller& caller) {
  const std::string who = caller.name.empty() ? "from your address"
                                              : fmt::format("of {} {}", to_string(caller.kind), caller.name);
  return {grpc::StatusCode::RESOURCE_EXHAUSTED,
          fmt::format("{} calls {} are under way already: end one of them, or wait", kMostOfOne, who)};
}

}  // namespace

/// Lives as long as its call, which may be no stream: then it is counted only.
class OpenStreams::Stream final : public grpc::experimental::Interceptor {
 public:
  Stream(OpenStreams& owner, grpc::experimental::ServerRpcInfo& info, const Need& need)
      : owner_(owner), info_(info), need_(need) {}
  ~Stream() override { owner_.leave(*this); }

  /// The first time is when the caller's metadata are there. Before, what has a synchronous service (gRPC's
  /// reflection) has no call yet.
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (!known_) {
      const Presented presented = presented_of(*info_.server_context());
      known_.emplace(Known{info_.method(), need_, presented, owner_.gatekeeper_.identify(presented),
                           HeldCall(info_.server_context()->c_call())});
      who_ = who_calls(known_->caller, *info_.server_context());
      if (!owner_.enter(*this)) known_->call.end(too_many(known_->caller));
    }
    methods->Proceed();
  }

  struct Known {
    std::string method;
    Need need;
    Presented presented;
    Caller caller;  // as it was let in
    HeldCall call;
  };
  /// Once it was entered.
  const Known& known() const { return *known_; }
  bool is_stream() const { return info_.type() != grpc::experimental::ServerRpcInfo::Type::UNARY; }
  /// Whose calls are counted together; "": its are not counted.
  const std::string& who() const { return who_; }

  bool ended = false;       // protected by the owner's lock
  bool is_counted = false;  // the same

 private:
  OpenStreams& owner_;
  grpc::experimental::ServerRpcInfo& info_;
  const Need need_;
  std::optional<Known> known_;
  std::string who_;
};

class OpenStreams::Noting final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Noting(OpenStreams& streams) : streams_(streams) {}

  /// Null for what agents send, which costs their messages nothing.
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    const auto need = need_of(info->method());
    if (!need || need->least == Role::none || need->least == Role::agent) return nullptr;
    return new Stream(streams_, *info, *need);
  }

 private:
  OpenStreams& streams_;
};

/// Of one check: the same credential is looked at once, however many streams it has.
class OpenStreams::Decisions {
 public:
  explicit Decisions(const OpenStreams& streams) : streams_(streams) {}

  const grpc::Status& of(const Stream::Known& stream) {
    const Presented& shown = stream.presented;
    const std::string& pem = shown.certificate ? shown.certificate->pem : none_;
    const Key key{stream.method, shown.authorization, pem, shown.place};
    const auto found = made_.find(key);
    if (found != made_.end()) return found->second;
    return made_.emplace(key, decide(stream)).first->second;
  }

 private:
  using Key = std::tuple<std::string_view, std::string_view, std::string_view, Place>;

  grpc::Status decide(const Stream::Known& stream) const {
    if (auto allowed = ask_of_certificate(streams_.may_call_, stream.presented, stream.method); !allowed.ok())
      return allowed;
    return to_status(streams_.gatekeeper_.check_again(stream.presented, stream.need));
  }

  const OpenStreams& streams_;
  const std::string none_;
  std::map<Key, grpc::Status> made_;
};

OpenStreams::OpenStreams(Gatekeeper& gatekeeper, MayCall may_call)
    : gatekeeper_(gatekeeper), may_call_(std::move(may_call)) {}

OpenStreams::~OpenStreams() = default;

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> OpenStreams::noting() {
  return std::make_unique<Noting>(*this);
}

bool OpenStreams::enter(Stream& stream) {
  const std::lock_guard lock(mutex_);
  if (!stream.who().empty()) {
    std::size_t& calls = calls_[stream.who()];
    if (calls >= kMostOfOne) {
      gatekeeper_.count_refusal(Verdict::Answer::too_many);
      return false;
    }
    ++calls;
    stream.is_counted = true;
  }
  if (stream.is_stream()) streams_.insert(&stream);
  return true;
}

void OpenStreams::leave(Stream& stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(&stream);
  if (!stream.is_counted) return;
  const auto calls = calls_.find(stream.who());
  if (--calls->second == 0) calls_.erase(calls);
}

std::size_t OpenStreams::size() const {
  const std::lock_guard lock(mutex_);
  return streams_.size();
}

void OpenStreams::check() {
  std::vector<std::pair<HeldCall, grpc::Status>> ending;
  {
    const std::lock_guard lock(mutex_);
    Decisions decisions(*this);
    for (Stream* stream : streams_) {
      if (stream->ended) continue;
      const Stream::Known& known = stream->known();
      const grpc::Status& status = decisions.of(known);
      if (status.ok()) continue;
      stream->ended = true;
      ending.emplace_back(HeldCall(known.call.get()), said_to(known.caller, status));
      log::info("access", "a stream is ended: who reads it may no longer",
                {{"kind", to_string(known.caller.kind)},
                 {"who", known.caller.name},
                 {"method", known.method},
                 {"why", ending.back().second.error_message()}});
    }
  }
  for (const auto& [call, status] : ending) call.end(status);
}

}  // namespace vigil::aggregator::access
