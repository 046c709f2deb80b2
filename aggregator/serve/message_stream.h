// An answer of many messages, made by a thread that may wait for a slow client: the other side of gRPC's
// callbacks.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <utility>

namespace vigil::aggregator {

/// Made for one call and handed to gRPC, which ends its life after end(). One thread sends and ends; that
/// thread is never one of gRPC's.
template <class Message>
class MessageStream final : public grpc::ServerWriteReactor<Message> {
 public:
  /// Waits until the message before has left. False: the client has gone, or the server stops.
  [[nodiscard]] bool send(Message message) {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return !writing_; });
    if (gone_) return false;
    message_ = std::move(message);
    writing_ = true;
    lock.unlock();
    this->StartWrite(&message_);
    return true;
  }
  bool gone() const {
    const std::lock_guard lock(mutex_);
    return gone_;
  }
  /// Once; nothing of this may be touched afterwards.
  void end(const grpc::Status& status) {
    {
      std::unique_lock lock(mutex_);
      left_.wait(lock, [this] { return !writing_; });
    }
    this->Finish(status);
  }

 private:
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) gone_ = true;
    left_.notify_one();
  }
  void OnCancel() override {
    const std::lock_guard lock(mutex_);
    gone_ = true;
  }
  void OnDone() override { delete this; }

  mutable std::mutex mutex_;  // protects what follows
  std::condition_variable left_;
  bool writing_ = false;
  bool gone_ = false;
  Message message_;
};

}  // namespace vigil::aggregator
