#include "common/config/redact.h"

#include "common/text/letter_case.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>

namespace vigil::config {
namespace {

constexpr std::string_view kSecret = "<secret>";
constexpr std::string_view kCommand = "command";  // a list: the program, and what only it is to know
constexpr int kDeepest = 64;

bool names_url(const std::string& written) {
  const std::string key = lower_case(written);
  return key == "url" || key.ends_with("_url");
}

enum class Below { anything, secrets, arguments };

void hide(YAML::Node node, Below below, int depth);

void hide_entry(const std::string& key, YAML::Node value, Below below, int depth) {
  const bool is_secret = below == Below::secrets || names_secret(lower_case(key));
  if (value.IsScalar()) {
    if (is_secret) {
      value = std::string(kSecret);
    } else if (names_url(key) && key != "external_url") {
      value = bare_url(value.Scalar());
    }
    return;
  }
  const Below inside = key == kCommand ? Below::arguments : Below::anything;
  hide(value, is_secret || key == "headers" ? Below::secrets : inside, depth + 1);
}

void hide(YAML::Node node, Below below, int depth) {
  if (depth > kDeepest) {
    node = std::string(kSecret);
  } else if (node.IsMap()) {
    for (auto entry : node) {
      if (entry.first.IsScalar()) hide_entry(entry.first.Scalar(), entry.second, below, depth);
    }
  } else if (node.IsSequence()) {
    for (std::size_t i = 0; i < node.size(); ++i) {
      YAML::Node item = node[i];
      if (!item.IsScalar()) {
        hide(item, below, depth + 1);
      } else if (below == Below::secrets || (below == Below::arguments && i > 0)) {
        item = std::string(kSecret);
      }
    }
  }
}

}  // namespace

bool names_secret(std::string_view key) {
  if (key.ends_with("_file")) return false;
  constexpr std::array<std::string_view, 10> kWords = {"password", "secret",     "token",       "webhook_url",
                                                       "api_key",  "bearer",     "credentials", "routing_key",
                                                       "user_key", "service_key"};
  return std::ranges::any_of(
      kWords, [&key](std::string_view word) { return key.find(word) != std::string_view::npos; });
}

std::string bare_url(const std::string& url) {
  const auto scheme = url.find("://");
  if (scheme == std::string::npos) return std::string(kSecret);
  const auto begin = scheme + 3;
  const auto end = std::min(url.find_first_of("/?#", begin), url.size());
  const auto at = url.rfind('@', end);
  const auto host = at != std::string::npos && at >= begin ? at + 1 : begin;
  const bool is_bare = end == url.size() || (end + 1 == url.size() && url[end] == '/');
  return url.substr(0, begin) + url.substr(host, end - host) + (is_bare ? "" : "/" + std::string(kSecret));
}

std::string redacted_value(std::string_view path, const std::string& value) {
  if (value.empty()) return value;
  std::string key;
  bool is_below_headers = false;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    key = part.substr(0, part.find('['));
    if (is_below_headers || names_secret(lower_case(key))) return std::string(kSecret);
    if (key == kCommand && part != key && !part.ends_with("[0]")) return std::string(kSecret);
    is_below_headers = key == "headers";
  }
  return names_url(key) && key != "external_url" ? bare_url(value) : value;
}

Result<std::string> redacted(std::string_view yaml) {
  try {  // the library's way of saying that it is none
    YAML::Node root = YAML::Load(std::string(yaml));
    hide(root, Below::anything, 0);
    YAML::Emitter out;
    out << root;
    return std::string(out.c_str()) + "\n";
  } catch (const YAML::Exception& error) {
    return fail(Errc::parse, "{}", error.what());
  }
}

}  // namespace vigil::config
