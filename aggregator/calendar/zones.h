// The time zones of this machine, by their IANA names. Owned by one thread. Each file is read once: a zone
// that changed on the disk is seen after the next start or reload, which makes a new Zones.
#pragma once

#include "aggregator/calendar/zone.h"
#include "common/error.h"

#include <map>
#include <string>
#include <string_view>

namespace vigil::calendar {

class Zones {
 public:
  explicit Zones(std::string folder = "/usr/share/zoneinfo") : folder_(std::move(folder)) {}

  /// "Europe/Berlin", "UTC", or "Local" for that of this machine (/etc/localtime). Errc::not_found names what
  /// was probably meant.
  Result<ZonePtr> find(std::string_view name);

 private:
  Error unknown(std::string_view name) const;

  std::string folder_;
  std::map<std::string, ZonePtr, std::less<>> known_;
};

}  // namespace vigil::calendar
