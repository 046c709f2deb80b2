// Which distribution the host runs: ROOTFS/etc/os-release, else ROOTFS/usr/lib/os-release (os-release(5)).
#include "agent/collectors/os_release.h"
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace vigil::agent {
namespace {

constexpr auto kGauge = SeriesType::gauge;
constexpr Family kInfo{"node_os_info",
                       "A constant 1 with what os-release says.",
                       kGauge,
                       0,
                       {"build_id", "id", "id_like", "image_id", "image_version", "name", "pretty_name",
                        "variant", "variant_id", "version", "version_codename", "version_id"}};
constexpr int kVersionScale = 4;
constexpr Family kVersion{"node_os_version",
                          "The major.minor part of the version of the operating system.",
                          kGauge,
                          kVersionScale,
                          {"id", "id_like", "name"}};

/// Takes quotes and backslashes off a value, as a shell would: inside single quotes a backslash is only a
/// backslash.
std::string unquote(std::string_view text) {
  std::string value;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != '\0' && c == quote) {
      quote = '\0';
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      value += text[++i];
    } else {
      value += c;
    }
  }
  return value;
}

/// "22.04.3 LTS" is 220400 (22.04 with four decimal places); nothing when there is no number at the head.
std::optional<std::int64_t> major_minor(std::string_view version) {
  const auto digits_from = [&](std::size_t at) {
    while (at < version.size() && std::isdigit(static_cast<unsigned char>(version[at])) != 0) ++at;
    return at;
  };
  std::size_t end = digits_from(0);
  if (end == 0) return std::nullopt;
  if (end < version.size() && version[end] == '.') end = digits_from(end + 1);
  return parse_decimal(version.substr(0, end), kVersionScale);
}

class OsCollector final : public Collector {
 public:
  explicit OsCollector(const CollectorOptions& options) : rootfs_(options.roots.rootfs) {}

  std::string_view name() const override { return "os"; }
  std::chrono::milliseconds interval() const override { return std::chrono::minutes(1); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    auto content = read_small_file(rootfs_ + "/etc/os-release");
    if (!content) content = read_small_file(rootfs_ + "/usr/lib/os-release");
    if (!content && content.error().code == Errc::not_found)
      return fail(Errc::unsupported, "{}", content.error().message);
    if (!content) return content.error();
    const OsRelease os = parse_os_release(*content);
    sheet.put(kInfo,
              {os.get("BUILD_ID"), os.get("ID"), os.get("ID_LIKE"), os.get("IMAGE_ID"),
               os.get("IMAGE_VERSION"), os.get("NAME"), os.get("PRETTY_NAME"), os.get("VARIANT"),
               os.get("VARIANT_ID"), os.get("VERSION"), os.get("VERSION_CODENAME"), os.get("VERSION_ID")},
              1);
    const auto version = major_minor(os.get("VERSION_ID"));
    if (version && *version > 0)
      sheet.put(kVersion, {os.get("ID"), os.get("ID_LIKE"), os.get("NAME")}, *version);
    return {};
  }

 private:
  std::string rootfs_;
};

}  // namespace

std::string_view OsRelease::get(std::string_view key) const {
  // The last assignment wins, as in a shell.
  const auto found =
      std::find_if(values.rbegin(), values.rend(), [&](const auto& value) { return value.first == key; });
  return found == values.rend() ? std::string_view{} : std::string_view(found->second);
}

OsRelease parse_os_release(std::string_view text) {
  OsRelease os;
  for (Lines lines(text); lines.next();) {
    const std::string_view line = trim(lines.line());
    if (line.starts_with('#') || line.find('=') == std::string_view::npos) continue;
    const auto [key, value] = split_once(line, '=');
    os.values.emplace_back(std::string(key), printable(unquote(value)));
  }
  return os;
}

std::unique_ptr<Collector> make_os(const CollectorOptions& options) {
  return std::make_unique<OsCollector>(options);
}

}  // namespace vigil::agent
