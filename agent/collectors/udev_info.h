// What udev knows of a block device: model, serial number and the like, from
// ROOTFS/run/udev/data/bMAJOR:MINOR (the database of systemd-udevd; "E:KEY=value" lines are the device's
// properties). Remembered by a device's place in the list and read anew every five minutes: a disk may be
// swapped, and at boot udev comes later than the agent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

struct UdevInfo {
  std::string path;
  std::string wwn;
  std::string model;
  std::string serial;
  std::string revision;
  // Of device mapper devices (LVM, LUKS, multipath); `mapped_name` is empty for others.
  std::string mapped_name;
  std::string mapped_uuid;
  std::string volume_group;
  std::string logical_volume;
  std::string volume_layer;
};

/// The properties among the lines of one database file; any bytes give a result, values that are not UTF-8
/// are made so.
UdevInfo parse_udev_info(std::string_view text);

/// Used by one thread.
class UdevDatabase {
 public:
  explicit UdevDatabase(const std::string& rootfs) : folder_(rootfs + "/run/udev/data/b") {}
  /// Starts at the head of a list of devices.
  void rewind();
  /// The next device of the list; everything is empty when udev does not know it.
  const UdevInfo& next(std::string_view major, std::string_view minor);

 private:
  struct Known {
    std::string major;
    std::string minor;
    UdevInfo info;
  };
  static constexpr std::size_t kMaxRemembered = 1024;
  static constexpr int kRefreshAfterLists = 300;

  std::string folder_;
  std::vector<Known> known_;
  UdevInfo unknown_;
  std::size_t place_ = 0;
  int lists_ = 0;
};

}  // namespace vigil::agent
