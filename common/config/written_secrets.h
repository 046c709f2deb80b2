// Secrets of a configuration: those that stand in its file, and the files that hold others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vigil::config {

/// Where they are in a YAML text: "notifications.receivers[0].slack.webhook_url". Values of keys that speak
/// of passwords, tokens and the like, as redact.h knows them; addresses that are secrets by what they are
/// for, and those with a password in them. Empty when the text is no YAML.
std::vector<std::string> secrets_written_in(std::string_view yaml);

/// A file with such secrets that more may read than should.
struct OpenSecrets {
  std::string path;
  std::string seen;  // "everybody may read it, and it holds notifications.heartbeat.url"
  std::string fix;   // a command, or what else would do
};
std::string to_string(const OpenSecrets& open);

/// The files that configuration files name for secrets: password_file, url_file, key_file and their kin. What
/// is not absolute begins at the folder of the file that names it.
std::vector<std::string> secret_files_of(const std::vector<std::string>& paths);

/// Of those of `paths` that are there and can be read.
std::vector<OpenSecrets> open_secrets(const std::vector<std::string>& paths);

}  // namespace vigil::config
