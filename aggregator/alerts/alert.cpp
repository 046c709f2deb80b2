#include "aggregator/alerts/alert.h"

namespace vigil::alerts {

std::string_view to_string(State state) {
  switch (state) {
    case State::inactive:
      return "inactive";
    case State::pending:
      return "pending";
    case State::firing:
      return "firing";
    case State::resolved:
      break;
  }
  return "resolved";
}

}  // namespace vigil::alerts
