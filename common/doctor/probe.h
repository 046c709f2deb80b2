// Gathers what checks.h judges, of this machine as it is. Changes nothing: a file that is written to see
// whether fsync works never has a name.
#pragma once

#include "common/doctor/checks.h"
#include "common/text/address.h"

#include <string>

namespace vigil::doctor {

FolderFacts look_at_folder(std::string label, const std::string& path);
/// The user a file belongs to, by name or number; "": it cannot be looked at.
std::string owner_of(const std::string& path);
ClockFacts look_at_clock();
/// With its limit when systemd has such a unit, else this process's.
OpenFilesFacts look_at_open_files(const UnitFacts& unit);
/// Asks systemctl, for at most three seconds.
UnitFacts look_at_unit(const std::string& name);
/// Whether somebody listens, or one could. `is_ours` is left to who knows.
PortFacts look_at_port(const std::string& key, const Address& address);
/// A PEM file of certificates, or, with Key::yes, the private key of the one before it.
enum class Key : std::uint8_t { no, yes };
/// The findings about what the keys of `tls` name; those without a path are left out.
struct TlsFile {
  const char* key;
  std::string path;
  Key is_key = Key::no;
};
Findings look_at_tls_files(const std::vector<TlsFile>& files, std::int64_t now_ms);
/// Of the first certificate of a PEM text.
CertificateFacts read_certificate_facts(std::string about, const std::string& pem);
/// What uname(2) says: "6.1.0-18-amd64".
std::string kernel_release();

/// From what `systemctl show` prints.
UnitFacts parse_unit(std::string name, const std::string& shown);

}  // namespace vigil::doctor
