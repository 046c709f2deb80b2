#include "agent/collectors/mdstat.h"

#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <array>
#include <optional>
#include <utility>

namespace vigil::agent {
namespace {

using Activity = MdArray::Activity;

std::int64_t count(std::string_view text, std::string_view what) {
  std::int64_t found = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size()))
    ++found;
  return found;
}

bool contains(std::string_view text, std::string_view what) {
  return text.find(what) != std::string_view::npos;
}

/// "md0 : active raid1 sdb1[1] sda1[0](F)"
std::optional<MdArray> parse_device_line(std::string_view line) {
  Fields fields(line);
  MdArray array;
  array.name = fields.next();
  if (fields.next() != ":") return std::nullopt;
  const std::string_view activity = fields.next();
  if (activity.empty()) return std::nullopt;
  array.activity = activity == "inactive" ? Activity::inactive : Activity::active;
  array.disks_failed = count(line, "(F)");
  array.disks_spare = count(line, "(S)");
  return array;
}

/// The numbers of "[4/3]": disks the array wants and disks it has.
std::optional<std::pair<std::int64_t, std::int64_t>> wanted_and_active(std::string_view line) {
  for (std::size_t open = line.find('['); open != std::string_view::npos; open = line.find('[', open + 1)) {
    const std::size_t close = line.find(']', open);
    if (close == std::string_view::npos) break;
    const auto [wanted, active] = split_once(line.substr(open + 1, close - open - 1), '/');
    const auto wanted_number = parse_integer(wanted);
    const auto active_number = parse_integer(active);
    if (wanted_number && active_number) return std::pair{*wanted_number, *active_number};
  }
  return std::nullopt;
}

/// "      312319552 blocks super 1.2 [2/2] [UU]". Arrays without redundancy (raid0, linear) show no [2/2]:
/// they need every disk.
bool parse_status_line(std::string_view device_line, std::string_view line, MdArray& array) {
  const auto blocks = Fields(line).number();
  if (!blocks || !contains(line, " blocks")) return false;
  array.blocks = array.blocks_synced = *blocks;
  if (array.activity == Activity::inactive) return true;
  if (const auto disks = wanted_and_active(line)) {
    array.disks_required = disks->first;
    array.disks_active = disks->second;
    return true;
  }
  array.disks_required = array.disks_active = count(device_line, "[");
  return contains(device_line, "raid0") || contains(device_line, "linear");
}

/// "      [=>...]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec", or "
/// resync=PENDING".
void parse_progress_line(std::string_view line, MdArray& array) {
  static constexpr std::array<std::pair<std::string_view, Activity>, 3> kProgress = {
      {{"recovery", Activity::recovering}, {"resync", Activity::resync}, {"check", Activity::check}}};
  for (const auto& [word, activity] : kProgress) {
    const std::size_t at = line.find(word);
    if (at == std::string_view::npos || !contains(line.substr(at), "=")) continue;
    array.activity = activity;
    array.blocks_synced = 0;
    const std::size_t open = line.find('(', at);
    if (open == std::string_view::npos) return;
    if (const auto done = parse_integer(split_once(line.substr(open + 1), '/').first))
      array.blocks_synced = *done;
    return;
  }
}

}  // namespace

std::vector<MdArray> parse_mdstat(std::string_view text) {
  std::vector<MdArray> arrays;
  std::string_view device_line;
  std::optional<MdArray> announced;  // its status line is to come
  bool described = false;            // arrays.back() may get more lines
  for (Lines lines(text); lines.next();) {
    const std::string_view line = lines.line();
    if (trim(line).empty() || !line.starts_with(' ')) {
      described = false;
      device_line = line;
      announced = parse_device_line(line);
    } else if (announced) {
      described = parse_status_line(device_line, line, *announced);
      if (described) arrays.push_back(*announced);
      announced.reset();
    } else if (described) {
      parse_progress_line(line, arrays.back());
    }
  }
  return arrays;
}

}  // namespace vigil::agent
