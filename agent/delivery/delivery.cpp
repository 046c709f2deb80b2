#include "agent/delivery/delivery.h"

#include "agent/delivery/loop.h"

namespace vigil::agent {

using std::chrono::milliseconds;

Delivery::Delivery(DeliveryOptions options) : loop_(std::make_unique<Loop>(*this, std::move(options))) {}

Delivery::~Delivery() {
  stop(milliseconds(0));
}

void Delivery::start() {
  thread_ = std::thread([this] { loop_->run(); });
}

void Delivery::push(EncodedBatch batch) {
  loop_->push(std::move(batch));
}

void Delivery::answer(const v1::ActionResult& result) {
  v1::AgentMessage message;
  *message.mutable_result() = result;
  loop_->answer(message.SerializeAsString());
}

void Delivery::reconnect() {
  loop_->reconnect();
}

void Delivery::begin_stream(Greeting greeting) {
  loop_->greet_with(std::move(greeting));
}

bool Delivery::stuck() const {
  return loop_->waiting() >= kMostWaiting;
}

void Delivery::stop(milliseconds patience) {
  if (!thread_.joinable()) return;
  loop_->stop(std::chrono::steady_clock::now() + patience);
  thread_.join();
}

DeliveryFigures Delivery::figures() const {
  const std::lock_guard lock(figures_mutex_);
  return figures_;
}

}  // namespace vigil::agent
