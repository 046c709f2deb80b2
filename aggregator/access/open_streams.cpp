#include "aggregator/access/open_streams.h"

#include "aggregator/access/rpc_needs.h"
#include "common/log/log.h"

#include <grpc/grpc.h>

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace vigil::aggregator::access {
namespace {

/// A call that is held, so that it can be cancelled without a lock: gRPC may end it, and with it what notes
/// it, on this very thread.
class HeldCall {
 public:
  explicit HeldCall(grpc_call* call) : call_(call) { grpc_call_ref(call_); }
  ~HeldCall() {
    if (call_ != nullptr) grpc_call_unref(call_);
  }
  HeldCall(HeldCall&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  HeldCall(const HeldCall&) = delete;
  HeldCall& operator=(const HeldCall&) = delete;
  HeldCall& operator=(HeldCall&&) = delete;

  /// gRPC's documentation says that the status does not get to the other side. Of a server's call it does,
  /// as long as no other one was sent (grpc_chttp2_cancel_stream); a test holds it to that.
  void end(const grpc::Status& status) const {
    grpc_call_cancel_with_status(call_, static_cast<grpc_status_code>(status.error_code()),
                                 status.error_message().c_str(), nullptr);
  }
  grpc_call* get() const { return call_; }

 private:
  grpc_call* call_;
};

/// What a caller whose token is gone is told: which one.
grpc::Status said_to(const Caller& caller, const grpc::Status& status) {
  if (caller.kind != Caller::Kind::token || status.error_code() != grpc::StatusCode::UNAUTHENTICATED)
    return status;
  return {status.error_code(), fmt::format("the token {} expired or was revoked", caller.name)};
}

}  // namespace

/// Lives as long as its call.
class OpenStreams::Stream final : public grpc::experimental::Interceptor {
 public:
  Stream(OpenStreams& owner, grpc::experimental::ServerRpcInfo& info, const Need& need)
      : method(info.method()),
        need(need),
        presented(presented_of(*info.server_context())),
        caller(owner.gatekeeper_.identify(presented)),
        call(info.server_context()->c_call()),
        owner_(owner) {
    owner_.enter(*this);
  }
  ~Stream() override { owner_.leave(*this); }
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override { methods->Proceed(); }

  const std::string method;
  const Need need;
  const Presented presented;
  const Caller caller;  // as it was let in
  const HeldCall call;
  bool ended = false;  // protected by the owner's lock

 private:
  OpenStreams& owner_;
};

class OpenStreams::Noting final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Noting(OpenStreams& streams) : streams_(streams) {}

  /// Null for all that is no such stream, which costs its messages nothing.
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    if (info->type() == grpc::experimental::ServerRpcInfo::Type::UNARY) return nullptr;
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

  const grpc::Status& of(const Stream& stream) {
    const Presented& shown = stream.presented;
    const std::string& pem = shown.certificate ? shown.certificate->pem : none_;
    const Key key{stream.method, shown.authorization, pem, shown.place};
    const auto found = made_.find(key);
    if (found != made_.end()) return found->second;
    return made_.emplace(key, decide(stream)).first->second;
  }

 private:
  using Key = std::tuple<std::string_view, std::string_view, std::string_view, Place>;

  grpc::Status decide(const Stream& stream) const {
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

void OpenStreams::enter(Stream& stream) {
  const std::lock_guard lock(mutex_);
  streams_.insert(&stream);
}

void OpenStreams::leave(Stream& stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(&stream);
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
      const grpc::Status& status = decisions.of(*stream);
      if (status.ok()) continue;
      stream->ended = true;
      ending.emplace_back(HeldCall(stream->call.get()), said_to(stream->caller, status));
      log::info("access", "a stream is ended: who reads it may no longer",
                {{"kind", to_string(stream->caller.kind)},
                 {"who", stream->caller.name},
                 {"method", stream->method},
                 {"why", ending.back().second.error_message()}});
    }
  }
  for (const auto& [call, status] : ending) call.end(status);
}

}  // namespace vigil::aggregator::access
