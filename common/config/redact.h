// A configuration for showing to others: as it was written, without its secrets.
#pragma once

#include "common/error.h"

#include <string>
#include <string_view>

namespace vigil::config {

/// The same YAML, comments left out, with "<secret>" for what is one: values of keys that speak of passwords,
/// secrets, tokens or keys, of `webhook_url`, and of everything below `headers`; of other URLs what stands
/// behind the host, and names and passwords in it. Names of files (`*_file`) are none. Errc::parse when the
/// text is no YAML.
Result<std::string> redacted(std::string_view yaml);

/// Whether the value of a key, in small letters, is a secret by the key's name.
bool names_secret(std::string_view key);

/// The value of one key as redacted() would show it; `path`: "receivers[0].slack.webhook_url".
std::string redacted_value(std::string_view path, const std::string& value);

/// "https://user:word@host/path?x" -> "https://host/<secret>"
std::string bare_url(const std::string& url);

}  // namespace vigil::config
