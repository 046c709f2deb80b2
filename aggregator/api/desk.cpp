#include "aggregator/api/desk.h"

#include "aggregator/api/answer.h"

#include <boost/asio/post.hpp>

namespace vigil::aggregator::api {

Desk::Desk(QueryEngine& engine) : engine_(engine), lookups_(kThreads) {}

Desk::~Desk() {
  stop();
}

void Desk::stop() {
  stopping_ = true;
  lookups_.join();
}

Result<void> Desk::look_up(std::function<void()> task) {
  if (stopping_) return fail(Errc::unavailable, "the aggregator is stopping");
  if (waiting_.fetch_add(1) >= kMostWaiting) {
    waiting_.fetch_sub(1);
    return fail(Errc::limit, "{} requests are in line already; try again later", kMostWaiting);
  }
  boost::asio::post(lookups_, [this, task = std::move(task)] {
    waiting_.fetch_sub(1);
    task();
  });
  return {};
}

http::LaterHandler Desk::handler(Kind kind, Work work) {
  return [this, kind, work = std::move(work)](http::Request request, const http::Responder& responder) {
    const auto asked_at = std::chrono::steady_clock::now();
    auto task = [request = std::move(request), responder, asked_at, work] {
      if (responder.client_gone()) return responder.send(canceled());
      responder.send(work({request, asked_at, [responder] { return responder.client_gone(); }}));
    };
    const auto queued = kind == Kind::question ? engine_.submit(std::move(task)) : look_up(std::move(task));
    if (!queued) responder.send(too_busy(queued.error().message));
  };
}

}  // namespace vigil::aggregator::api
