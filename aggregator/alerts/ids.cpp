#include "aggregator/alerts/ids.h"

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

namespace vigil::alerts {

std::string new_id() {
  return boost::uuids::to_string(boost::uuids::random_generator()());
}

}  // namespace vigil::alerts
