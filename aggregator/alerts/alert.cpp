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

std::string_view to_string(Standing standing) {
  switch (standing) {
    case Standing::inactive:
      return "inactive";
    case Standing::pending:
      return "pending";
    case Standing::firing:
      return "firing";
    case Standing::resolved:
      return "resolved";
    case Standing::no_data:
      return "no data";
    case Standing::flapping:
      return "flapping";
    case Standing::acknowledged:
      return "acknowledged";
    case Standing::inhibited:
      return "inhibited";
    case Standing::silenced:
      return "silenced";
    case Standing::maintenance:
      break;
  }
  return "in maintenance";
}

Standing standing_of(const Circumstance& is) {
  if (is.state == State::inactive) return Standing::inactive;
  if (is.state == State::resolved) return Standing::resolved;
  if (is.is_in_maintenance) return Standing::maintenance;
  if (is.is_silenced) return Standing::silenced;
  if (is.is_inhibited) return Standing::inhibited;
  if (is.is_acknowledged) return Standing::acknowledged;
  if (is.is_flapping) return Standing::flapping;
  if (is.has_no_data) return Standing::no_data;
  return is.state == State::firing ? Standing::firing : Standing::pending;
}

}  // namespace vigil::alerts
