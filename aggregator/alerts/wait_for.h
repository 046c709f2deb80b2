// Asking the alert service's thread, and waiting for what it says.
#pragma once

#include "common/error.h"

#include <chrono>
#include <future>
#include <memory>
#include <utility>

namespace vigil::alerts {

/// `ask(answer)` has `answer` called on another thread, once. Errc::unavailable when that takes too long.
template <class Answer, class Ask>
Answer wait_for(Ask ask) {
  constexpr std::chrono::seconds kPatience{10};
  auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  ask([promise](Answer answer) { promise->set_value(std::move(answer)); });
  if (future.wait_for(kPatience) == std::future_status::ready) return future.get();
  return fail(Errc::unavailable, "the alert service did not answer within {} s", kPatience.count());
}

}  // namespace vigil::alerts
