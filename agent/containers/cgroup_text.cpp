#include "agent/containers/cgroup_text.h"

#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <algorithm>

namespace vigil::agent {

void take_keyed(std::string_view text, std::span<const KeyedValue> wanted) {
  std::size_t found = 0;
  for (Lines lines(text); found < wanted.size() && lines.next();) {
    const auto [key, value] = split_once(lines.line(), ' ');
    for (const KeyedValue& one : wanted) {
      if (one.key != key) continue;
      if (const auto number = parse_integer(trim(value))) *one.value = *number;
      ++found;
      break;
    }
  }
}

std::int64_t single_number(std::string_view text) {
  return parse_integer(trim(text)).value_or(kAbsent);
}

std::int64_t limit_number(std::string_view text) {
  // Version 1 says "none" as the largest multiple of the page size below 2^63; nobody has an exabyte.
  constexpr std::int64_t kNoLimit = 1LL << 60;
  if (trim(text) == "max") return 0;
  const std::int64_t number = single_number(text);
  return number >= kNoLimit ? 0 : number;
}

CpuMax parse_cpu_max(std::string_view text) {
  Fields fields(trim(text));
  CpuMax max;
  max.quota_us = fields.number().value_or(kAbsent);
  max.period_us = fields.number().value_or(kAbsent);
  return max;
}

Pressure parse_pressure(std::string_view text) {
  Pressure pressure;
  for (Lines lines(text); lines.next();) {
    Fields fields(lines.line());
    const std::string_view kind = fields.next();
    std::int64_t total = kAbsent;
    for (std::string_view field = fields.next(); !field.empty(); field = fields.next()) {
      if (field.starts_with("total=")) total = single_number(field.substr(6));
    }
    if (kind == "some") pressure.some_us = total;
    if (kind == "full") pressure.full_us = total;
  }
  return pressure;
}

namespace {

struct DeviceNumber {
  std::uint32_t major;
  std::uint32_t minor;
};

std::optional<DeviceNumber> parse_device(std::string_view text) {
  const auto [major_text, minor_text] = split_once(text, ':');
  const auto major = parse_integer(major_text);
  const auto minor = parse_integer(minor_text);
  constexpr std::int64_t kLargest = std::numeric_limits<std::uint32_t>::max();
  if (!major || !minor || *major < 0 || *minor < 0 || *major > kLargest || *minor > kLargest)
    return std::nullopt;
  return DeviceNumber{static_cast<std::uint32_t>(*major), static_cast<std::uint32_t>(*minor)};
}

/// The element of this device, made if need be; nullptr when there are too many.
DeviceIo* device_in(std::vector<DeviceIo>& devices, DeviceNumber number) {
  for (DeviceIo& device : devices) {
    if (device.major == number.major && device.minor == number.minor) return &device;
  }
  if (devices.size() >= kMaxDevices) return nullptr;
  DeviceIo& added = devices.emplace_back();
  added.major = number.major;
  added.minor = number.minor;
  return &added;
}

void take_io_field(std::string_view field, DeviceIo& device) {
  const auto [key, text] = split_once(field, '=');
  const std::int64_t value = std::max<std::int64_t>(parse_integer(text).value_or(0), 0);
  if (key == "rbytes") device.read_bytes = value;
  if (key == "wbytes") device.written_bytes = value;
  if (key == "rios") device.reads = value;
  if (key == "wios") device.writes = value;
}

}  // namespace

void parse_io_stat(std::string_view text, std::vector<DeviceIo>& devices) {
  devices.clear();
  for (Lines lines(text); lines.next();) {
    Fields fields(lines.line());
    std::optional<DeviceNumber> number;
    for (std::string_view field = fields.next(); !field.empty(); field = fields.next()) {
      if (field.find('=') == std::string_view::npos) {
        number = parse_device(field);
        continue;
      }
      DeviceIo* device = number ? device_in(devices, *number) : nullptr;
      if (device != nullptr) take_io_field(field, *device);
    }
  }
}

void parse_blkio(std::string_view text, BlkioUnit unit, std::vector<DeviceIo>& devices) {
  for (Lines lines(text); lines.next();) {
    Fields fields(lines.line());
    const auto number = parse_device(fields.next());
    const std::string_view operation = fields.next();
    const auto value = fields.number();
    if (!number || !value || *value < 0 || (operation != "Read" && operation != "Write")) continue;
    DeviceIo* device = device_in(devices, *number);
    if (device == nullptr) continue;
    const bool read = operation == "Read";
    if (unit == BlkioUnit::bytes) (read ? device->read_bytes : device->written_bytes) = *value;
    if (unit == BlkioUnit::operations) (read ? device->reads : device->writes) = *value;
  }
}

void parse_net_dev(std::string_view text, std::vector<InterfaceCounters>& interfaces) {
  interfaces.clear();
  for (Lines lines(text); lines.next() && interfaces.size() < kMaxInterfaces;) {
    // The name ends at the last colon before the numbers: aliases ("eth0:1") have one themselves.
    const std::size_t colon = lines.line().rfind(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = trim(lines.line().substr(0, colon));
    if (name.empty() || name == "lo" || name.starts_with("veth") || name.starts_with("docker")) continue;
    InterfaceCounters counters;
    if (name.size() > counters.name_bytes.size()) continue;
    std::copy(name.begin(), name.end(), counters.name_bytes.begin());
    counters.name_size = static_cast<std::uint8_t>(name.size());
    Fields fields(lines.line().substr(colon + 1));
    std::array<std::optional<std::int64_t>, 12> numbers;
    for (auto& number : numbers) number = fields.number();
    if (!numbers.back()) continue;
    counters.received_bytes = *numbers[0];
    counters.received_packets = *numbers[1];
    counters.receive_errors = *numbers[2];
    counters.receive_dropped = *numbers[3];
    counters.sent_bytes = *numbers[8];
    counters.sent_packets = *numbers[9];
    counters.send_errors = *numbers[10];
    counters.send_dropped = *numbers[11];
    interfaces.push_back(counters);
  }
}

}  // namespace vigil::agent
