// How a handler answers, now or later, on whatever thread it got to.
#pragma once

#include "aggregator/http/message.h"

#include <atomic>
#include <memory>

namespace vigil::aggregator::http {

/// The other end of a Responder: a request of a connection, or what a test looks at. Any thread.
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;
  /// Called once.
  virtual void deliver(Response response) = 0;
  virtual bool client_gone() const = 0;
};

/// A handle on one request that waits for its answer. Copies answer the same request; the first answer
/// counts. When the last copy goes without one, the client is told so with a 500.
class Responder {
 public:
  explicit Responder(std::shared_ptr<Exchange> exchange);

  /// Any thread; never blocks.
  void send(Response response) const;
  /// Nobody would read the answer any more: whatever makes it may stop. Any thread, cheap.
  bool client_gone() const;

 private:
  struct Owed;
  std::shared_ptr<Owed> owed_;
};

}  // namespace vigil::aggregator::http
