#include "aggregator/http/responder.h"

namespace vigil::aggregator::http {

struct Responder::Owed {
  explicit Owed(std::shared_ptr<Exchange> with) : exchange(std::move(with)) {}
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;
  ~Owed() {
    if (!answered) exchange->deliver(error_response(500, "internal", "the request was given up"));
  }

  const std::shared_ptr<Exchange> exchange;
  std::atomic<bool> answered = false;
};

Responder::Responder(std::shared_ptr<Exchange> exchange)
    : owed_(std::make_shared<Owed>(std::move(exchange))) {}

void Responder::send(Response response) const {
  if (!owed_->answered.exchange(true)) owed_->exchange->deliver(std::move(response));
}

bool Responder::client_gone() const {
  return owed_->exchange->client_gone();
}

}  // namespace vigil::aggregator::http
