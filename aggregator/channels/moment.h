// A point in time and a length of time as templates have them: with the methods of Go's time.Time and
// time.Duration.
#pragma once

#include "aggregator/calendar/zone.h"
#include "aggregator/rules/template_object.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace vigil::channels {

class Moment : public rules::TemplateObject {
 public:
  explicit Moment(std::int64_t t_ms, calendar::ZonePtr zone = calendar::utc())
      : t_ms_(t_ms), zone_(std::move(zone)) {}

  std::int64_t ms() const { return t_ms_; }
  std::string format(std::string_view layout) const;

  std::string_view type() const override { return "time.Time"; }
  Result<rules::TemplateValue> member(const std::string& name, rules::TemplateArgs args) const override;
  rules::TemplateValue plain() const override;

 private:
  std::int64_t t_ms_;
  calendar::ZonePtr zone_;
};

class Stretch : public rules::TemplateObject {
 public:
  explicit Stretch(std::int64_t length_ms) : length_ms_(length_ms) {}

  std::string_view type() const override { return "time.Duration"; }
  Result<rules::TemplateValue> member(const std::string& name, rules::TemplateArgs args) const override;
  rules::TemplateValue plain() const override;

 private:
  std::int64_t length_ms_;
};

/// Null when it is none.
const Moment* moment_of(const rules::TemplateValue& value);

rules::TemplateValue moment_value(std::int64_t t_ms, calendar::ZonePtr zone = calendar::utc());

/// The zone of an IANA name, or "Local". Kept by each thread that asks.
Result<calendar::ZonePtr> zone_named(std::string_view name);

}  // namespace vigil::channels
