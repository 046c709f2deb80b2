// A service of gRPC that streams until it is ended, for tests and benchmarks of who may.
#pragma once

#include "vigil/v1/query.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <string>

namespace vigil::aggregator::access {

/// Instant answers; Watch sends an update of `bytes`, or one after another, and goes on until it is ended.
class EndlessQuery final : public v1::Query::CallbackService {
 public:
  enum class Sends : std::uint8_t { once, always };
  explicit EndlessQuery(Sends sends, std::size_t bytes) : sends_(sends), bytes_(bytes) {}

  grpc::ServerUnaryReactor* Instant(grpc::CallbackServerContext* context, const v1::InstantRequest*,
                                    v1::QueryResult*) override {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerWriteReactor<v1::WatchUpdate>* Watch(grpc::CallbackServerContext*,
                                                   const v1::WatchRequest*) override {
    return new Stream(sends_, bytes_);
  }

 private:
  class Stream final : public grpc::ServerWriteReactor<v1::WatchUpdate> {
   public:
    Stream(Sends sends, std::size_t bytes) : sends_(sends) {
      update_.set_error(std::string(bytes, 'x'));
      StartWrite(&update_);
    }

   private:
    void OnWriteDone(bool ok) override {
      if (ok && sends_ == Sends::always) StartWrite(&update_);
    }
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }

    const Sends sends_;
    v1::WatchUpdate update_;
  };

  const Sends sends_;
  const std::size_t bytes_;
};

}  // namespace vigil::aggregator::access
