#include "aggregator/channels/moment.h"

#include "aggregator/calendar/zones.h"
#include "aggregator/channels/time_format.h"
#include "aggregator/rules/go_format.h"

#include <charconv>
#include <memory>
#include <variant>

namespace vigil::channels {
namespace {

using rules::TemplateArgs;
using rules::TemplateValue;

Result<std::int64_t> argument(TemplateArgs args, std::string_view method) {
  const Moment* other = args.size() == 1 ? moment_of(args[0]) : nullptr;
  if (other == nullptr) return fail(Errc::invalid_argument, "{} wants one time", method);
  return other->ms();
}

std::int64_t number(const std::string& digits) {
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

struct Part {
  std::string_view name;
  std::string_view layout;
  bool is_number;
};
constexpr Part kParts[] = {{"Year", "2006", true},      {"Month", "January", false}, {"Day", "2", true},
                           {"Hour", "15", true},        {"Minute", "4", true},       {"Second", "5", true},
                           {"Weekday", "Monday", false}};

}  // namespace

std::string Moment::format(std::string_view layout) const {
  return format_time(layout, t_ms_, *zone_);
}

Result<TemplateValue> Moment::member(const std::string& name, TemplateArgs args) const {
  if (name == "Format") {
    if (args.size() != 1) return fail(Errc::invalid_argument, "Format wants one layout, as \"15:04\"");
    const auto layout = rules::template_text(args[0]);
    if (!layout) return layout.error();
    return TemplateValue(format(*layout));
  }
  if (name == "Before" || name == "After" || name == "Equal" || name == "Sub") {
    const auto other = argument(args, name);
    if (!other) return other.error();
    if (name == "Sub") return TemplateValue(std::make_shared<const Stretch>(t_ms_ - *other));
    return TemplateValue(name == "Equal" ? t_ms_ == *other
                                         : (name == "Before" ? t_ms_ < *other : t_ms_ > *other));
  }
  if (!args.empty()) return fail(Errc::invalid_argument, "{} of a time takes no argument", name);
  if (name == "Unix") return TemplateValue(t_ms_ >= 0 ? t_ms_ / 1000 : (t_ms_ - 999) / 1000);
  if (name == "UnixMilli") return TemplateValue(t_ms_);
  if (name == "IsZero") return TemplateValue(t_ms_ == kZeroTimeMs);
  if (name == "UTC") return moment_value(t_ms_);
  if (name == "String") return plain();
  if (name == "Local") {
    auto zone = zone_named("Local");
    if (!zone) return zone.error();
    return moment_value(t_ms_, std::move(*zone));
  }
  for (const Part& part : kParts) {
    if (part.name != name) continue;
    std::string text = format(part.layout);
    return part.is_number ? TemplateValue(number(text)) : TemplateValue(std::move(text));
  }
  return no_such_member(*this, name);
}

TemplateValue Moment::plain() const {
  return TemplateValue(format("2006-01-02 15:04:05.999999999 -0700 MST"));
}

Result<TemplateValue> Stretch::member(const std::string& name, TemplateArgs args) const {
  if (!args.empty()) return fail(Errc::invalid_argument, "{} of a duration takes no argument", name);
  const double seconds = static_cast<double>(length_ms_) / 1000;
  if (name == "Milliseconds") return TemplateValue(length_ms_);
  if (name == "Seconds") return TemplateValue(seconds);
  if (name == "Minutes") return TemplateValue(seconds / 60);
  if (name == "Hours") return TemplateValue(seconds / 3600);
  if (name == "String") return TemplateValue(rules::go_print(plain()));
  return no_such_member(*this, name);
}

TemplateValue Stretch::plain() const {
  return TemplateValue(rules::TemplateDuration{static_cast<double>(length_ms_) / 1000});
}

const Moment* moment_of(const TemplateValue& value) {
  const auto* object = std::get_if<rules::TemplateObjectPtr>(&value);
  return object == nullptr ? nullptr : dynamic_cast<const Moment*>(object->get());
}

TemplateValue moment_value(std::int64_t t_ms, calendar::ZonePtr zone) {
  return TemplateValue(std::make_shared<const Moment>(t_ms, std::move(zone)));
}

Result<calendar::ZonePtr> zone_named(std::string_view name) {
  thread_local calendar::Zones zones;  // messages are rendered on their couriers' threads
  return zones.find(name);
}

}  // namespace vigil::channels
