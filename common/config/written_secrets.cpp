#include "common/config/written_secrets.h"

#include "common/config/files.h"
#include "common/config/guard.h"
#include "common/config/redact.h"
#include "common/text/letter_case.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>

namespace vigil::config {
namespace {

constexpr std::size_t kMostNamed = 3;

bool has_password(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return false;
  url.remove_prefix(scheme + 3);
  return url.substr(0, url.find_first_of("/?#")).find('@') != std::string_view::npos;
}

/// Whoever has one of these addresses may post there: there is no other word to know.
bool is_secret_address(std::string_view key, std::string_view parent) {
  return key == "slack_api_url" || (key == "api_url" && parent == "slack_configs") ||
         (key == "url" && parent == "heartbeat");
}

bool is_secret_header(std::string_view name) {
  constexpr std::array<std::string_view, 3> kWords = {"authorization", "cookie", "key"};
  return std::ranges::any_of(
      kWords, [&name](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

bool names_secret_file(std::string_view key) {
  constexpr std::string_view kFile = "_file";
  if (!key.ends_with(kFile)) return false;
  key.remove_suffix(kFile.size());
  return names_secret(key) || key == "key" || key == "url" || key.ends_with("_url");
}

/// Walks a document, whose nesting and aliases may be anything.
class SecretFinder {
 public:
  /// What a place is inside of.
  struct Within {
    bool secret = false;   // a key that names one
    bool headers = false;  // where a name says what is one
    std::string parent = {};
    int depth = 0;
  };

  void look(const YAML::Node& node, const std::string& path, const Within& within) {
    constexpr int kDeepest = 64;
    constexpr std::size_t kMostNodes = 100'000;
    if (within.depth > kDeepest || ++nodes_ > kMostNodes) return;
    if (node.IsScalar()) {
      if (!node.Scalar().empty() && (within.secret || has_password(node.Scalar()))) found_.push_back(path);
    } else if (node.IsSequence()) {
      for (std::size_t i = 0; i < node.size(); ++i) look(node[i], fmt::format("{}[{}]", path, i), within);
      if (within.parent == "command") look_at_arguments(node, path);
    } else if (node.IsMap()) {
      for (const auto& entry : node) {
        if (entry.first.IsScalar()) look_below(entry.first.Scalar(), entry.second, path, within);
      }
    }
  }
  /// Paths of the document.
  const std::vector<std::string>& found() const { return found_; }
  /// Of files, as they are written.
  const std::vector<std::string>& files() const { return files_; }

 private:
  /// "--password", "hunter2" and "--token=hunter2"
  void look_at_arguments(const YAML::Node& arguments, const std::string& path) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (!arguments[i].IsScalar()) return;
      const std::string argument = lower_case(arguments[i].Scalar());
      const std::size_t equals = argument.find('=');
      const bool has_value = equals != std::string::npos;
      if (!names_secret(argument.substr(0, equals)) || (!has_value && !argument.starts_with('-'))) continue;
      if (has_value || i + 1 < arguments.size())
        found_.push_back(fmt::format("{}[{}]", path, has_value ? i : i + 1));
    }
  }

  void look_below(const std::string& key, const YAML::Node& value, const std::string& path,
                  const Within& within) {
    const std::string name = lower_case(key);
    if (value.IsScalar() && names_secret_file(name)) files_.push_back(value.Scalar());
    const bool is_secret = within.secret || names_secret(name) || is_secret_address(name, within.parent) ||
                           (within.headers && is_secret_header(name));
    const bool is_headers = within.headers || name == "headers" || name == "http_headers";
    look(value, path.empty() ? key : path + '.' + key, {is_secret, is_headers, name, within.depth + 1});
  }

  std::vector<std::string> found_;
  std::vector<std::string> files_;
  std::size_t nodes_ = 0;
};

SecretFinder look_through(std::string_view yaml) {
  SecretFinder finder;
  try {  // the library's way of saying that it is none
    finder.look(YAML::Load(std::string(yaml)), "", {});
  } catch (const YAML::Exception&) {
    return {};
  }
  return finder;
}

/// "a, b, c and 2 more"
std::string first_of(const std::vector<std::string>& secrets) {
  const std::size_t shown = std::min(secrets.size(), kMostNamed);
  const auto end = secrets.begin() + static_cast<std::ptrdiff_t>(shown);
  const std::string first = fmt::format("{}", fmt::join(secrets.begin(), end, ", "));
  return shown == secrets.size() ? first : fmt::format("{} and {} more", first, secrets.size() - shown);
}

}  // namespace

std::vector<std::string> secrets_written_in(std::string_view yaml) {
  return look_through(yaml).found();
}

std::string to_string(const OpenSecrets& open) {
  return fmt::format("{}: {}: {}", open.path, open.seen, open.fix);
}

std::vector<OpenSecrets> open_secrets(const std::vector<std::string>& paths) {
  std::vector<OpenSecrets> out;
  for (const std::string& path : paths) {
    const auto readers = path.empty() ? Readers::those_meant : readers_of(path);
    if (!readers || *readers == Readers::those_meant) continue;
    const auto text = read_file(path);
    const auto secrets = text ? secrets_written_in(*text) : std::vector<std::string>();
    if (secrets.empty()) continue;
    out.push_back({path,
                   fmt::format("{} may read it, and it holds {}",
                               *readers == Readers::everybody ? "everybody" : "its group", first_of(secrets)),
                   fmt::format("chown root:vigil {0} && chmod 640 {0}, with the service's group; or files of "
                               "their own for secrets (webhook_url_file, url_file, token_file)",
                               path)});
  }
  return out;
}

std::vector<std::string> secret_files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    const auto text = path.empty() ? Result<std::string>("") : read_file(path);
    if (!text) continue;
    const SecretFinder found = look_through(*text);
    for (const std::string& named : found.files()) {
      if (!named.empty()) out.push_back((std::filesystem::path(path).parent_path() / named).string());
    }
  }
  return out;
}

}  // namespace vigil::config
