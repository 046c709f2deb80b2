#include "cli/backup/manifest.h"

#include "cli/backup/digest.h"
#include "common/text/human.h"

#include <algorithm>
#include <boost/json.hpp>

namespace vigil::cli {
namespace {

namespace json = boost::json;
constexpr std::int64_t kFormat = 3;
constexpr std::int64_t kCrcFormat = 2;  // and before: files are named and verified by their CRC-32C
constexpr char kFolderMark = '+';       // stands for the slash where files of all sets lie in one folder
constexpr std::string_view kIndex = "history.db";

/// The member `key` of an object: a whole number, or a text.
Result<std::int64_t> integer(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  json::error_code error;
  auto number = value == nullptr ? 0 : value->to_number<std::int64_t>(error);
  if (value == nullptr || error) return fail(Errc::corrupt, "'{}' is missing, or no whole number", key);
  return number;
}

Result<std::string> text(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return fail(Errc::corrupt, "'{}' is missing, or no text", key);
  return std::string(value->get_string());
}

Result<BackedUp> parse_file(const json::value& value, std::int64_t format) {
  if (!value.is_object()) return fail(Errc::corrupt, "a file is no object");
  const json::object& object = value.get_object();
  const auto name = text(object, "name");
  if (!name) return name.error();
  if (!is_file_name(*name)) return fail(Errc::corrupt, "'{}' is no name of a file of a data folder", *name);
  const auto bytes = integer(object, "bytes");
  const auto modified = integer(object, "modified_ns");
  const auto sum = text(object, format <= kCrcFormat ? "crc32c" : "sha256");
  if (!bytes || !modified) return bytes ? modified.error() : bytes.error();
  const std::size_t digits = format <= kCrcFormat ? kCrcDigits : kSha256Digits;
  if (!sum || !is_checksum(*sum) || sum->size() != digits || *bytes < 0)
    return fail(Errc::corrupt, "{}: size or checksum make no sense", *name);
  return BackedUp{*name, static_cast<std::uint64_t>(*bytes), *sum, *modified};
}

}  // namespace

std::uint64_t Manifest::bytes() const {
  std::uint64_t sum = 0;
  for (const BackedUp& file : files) sum += file.bytes;
  return sum;
}

std::string to_json(const Manifest& manifest) {
  json::array files;
  for (const BackedUp& file : manifest.files) {
    files.push_back(json::object{{"name", file.name},
                                 {"bytes", static_cast<std::int64_t>(file.bytes)},
                                 {"sha256", file.checksum},
                                 {"modified_ns", file.modified_ns}});
  }
  const json::object whole{{"format", kFormat},
                           {"time_ms", manifest.time_ms},
                           {"time", format_rfc3339(manifest.time_ms)},
                           {"aggregator", manifest.version},
                           {"folder", manifest.folder_id},
                           {"files", std::move(files)}};
  return json::serialize(whole) + "\n";
}

Result<Manifest> parse_manifest(std::string_view text_of_it) {
  json::error_code error;
  const json::value value = json::parse(json::string_view(text_of_it.data(), text_of_it.size()), error);
  if (error || !value.is_object()) return fail(Errc::corrupt, "it is not JSON, or only a part of it");
  const json::object& object = value.get_object();
  const auto format = integer(object, "format");
  if (!format) return format.error();
  if (*format > kFormat)
    return fail(Errc::unsupported,
                "it has format {}, this program knows {}: use the newer vigil that made it", *format,
                kFormat);
  const auto time_ms = integer(object, "time_ms");
  const auto version = text(object, "aggregator");
  if (!time_ms || !version) return time_ms ? version.error() : time_ms.error();
  Manifest manifest{*time_ms, *version, "", {}};
  if (object.contains("folder")) {
    auto folder = text(object, "folder");
    if (!folder) return folder.error();
    manifest.folder_id = std::move(*folder);
  }
  const json::value* files = object.if_contains("files");
  if (files == nullptr || !files->is_array()) return fail(Errc::corrupt, "'files' is missing, or no list");
  for (const json::value& each : files->get_array()) {
    auto file = parse_file(each, *format);
    if (!file) return file.error();
    manifest.files.push_back(std::move(*file));
  }
  const bool has_index =
      std::ranges::any_of(manifest.files, [](const BackedUp& file) { return file.name == kIndex; });
  if (!has_index) return fail(Errc::corrupt, "it has no {}, without which nothing can be read", kIndex);
  return manifest;
}

std::string set_name(std::int64_t time_ms) {
  std::string name = "set-";
  for (const char c : format_rfc3339(time_ms / 1000 * 1000)) {
    if (c != '-' && c != ':') name += c;
  }
  return name;
}

bool is_file_name(std::string_view path) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  const auto is_plain = [&](std::string_view name) {
    return !name.empty() && name.front() != '.' && name.size() <= 200 &&
           name.find_first_not_of(kAllowed) == std::string_view::npos;
  };
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return is_plain(path);
  return is_plain(path.substr(0, slash)) && is_plain(path.substr(slash + 1));
}

std::string flat_name(std::string name) {
  std::ranges::replace(name, '/', kFolderMark);
  return name;
}

std::string stored_name(const BackedUp& file) {
  return flat_name(file.name) + "." + file.checksum;
}

Result<BackedUp> parse_stored_name(std::string_view stored) {
  const std::size_t dot = stored.rfind('.');
  if (dot == std::string_view::npos) return fail(Errc::parse, "'{}' has no checksum", stored);
  BackedUp file;
  file.checksum = stored.substr(dot + 1);
  if (!is_checksum(file.checksum)) return fail(Errc::parse, "'{}' is no checksum", file.checksum);
  file.name = stored.substr(0, dot);
  std::ranges::replace(file.name, kFolderMark, '/');
  if (!is_file_name(file.name))
    return fail(Errc::parse, "'{}' is no name of a file of a data folder", file.name);
  return file;
}

}  // namespace vigil::cli
