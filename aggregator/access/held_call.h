#pragma once

#include <grpc/grpc.h>
#include <grpcpp/support/status.h>

#include <utility>

namespace vigil::aggregator::access {

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

}  // namespace vigil::aggregator::access
