#include "agent/collectors/udev_info.h"

#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

namespace vigil::agent {

UdevInfo parse_udev_info(std::string_view text) {
  UdevInfo info;
  // Most telling first: the serial number on the label of the disk, then the short one; virtio disks have
  // only ID_SERIAL.
  std::string_view serial;
  std::string_view serial_short;
  std::string_view serial_scsi;
  for (Lines lines(text); lines.next();) {
    if (!lines.line().starts_with("E:")) continue;
    const auto [key, value] = split_once(lines.line().substr(2), '=');
    if (key == "ID_PATH") info.path = printable(value);
    if (key == "ID_WWN") info.wwn = printable(value);
    if (key == "ID_MODEL") info.model = printable(value);
    if (key == "ID_REVISION") info.revision = printable(value);
    if (key == "DM_NAME") info.mapped_name = printable(value);
    if (key == "DM_UUID") info.mapped_uuid = printable(value);
    if (key == "DM_VG_NAME") info.volume_group = printable(value);
    if (key == "DM_LV_NAME") info.logical_volume = printable(value);
    if (key == "DM_LV_LAYER") info.volume_layer = printable(value);
    if (key == "ID_SERIAL") serial = value;
    if (key == "ID_SERIAL_SHORT") serial_short = value;
    if (key == "SCSI_IDENT_SERIAL") serial_scsi = value;
  }
  info.serial = printable(!serial_scsi.empty() ? serial_scsi : !serial_short.empty() ? serial_short : serial);
  return info;
}

void UdevDatabase::rewind() {
  place_ = 0;
  if (++lists_ < kRefreshAfterLists) return;
  lists_ = 0;
  known_.clear();
}

const UdevInfo& UdevDatabase::next(std::string_view major, std::string_view minor) {
  const std::size_t place = place_++;
  if (place < known_.size() && known_[place].major == major && known_[place].minor == minor)
    return known_[place].info;
  if (place >= kMaxRemembered) return unknown_;
  Known known{std::string(major), std::string(minor), {}};
  if (const auto text = read_small_file(folder_ + known.major + ":" + known.minor))
    known.info = parse_udev_info(*text);
  if (place >= known_.size()) known_.resize(place + 1);
  known_[place] = std::move(known);
  return known_[place].info;
}

}  // namespace vigil::agent
