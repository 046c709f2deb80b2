#include "aggregator/rules/file_patterns.h"

#include <fnmatch.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace vigil::rules {
namespace {

namespace fs = std::filesystem;

/// Whether each '[' is closed and no '\' ends it.
bool is_well_formed(std::string_view pattern) {
  bool open = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && ++i == pattern.size()) return false;
    if (!open && pattern[i] == '[') {
      open = true;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') ++i;
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') return false;  // a range of nothing
    } else if (open && pattern[i] == ']') {
      open = false;
    } else if (open && pattern[i] == '/') {
      return false;
    }
  }
  return !open;
}

/// The names in `folder` that fit, joined to it as it is written. What is no folder has none.
Result<void> match_in(const std::string& folder, const std::string& element, std::vector<std::string>& out) {
  std::error_code error;
  fs::directory_iterator names(folder.empty() ? "." : folder, error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) return {};
  for (const fs::directory_iterator end; !error && names != end; names.increment(error)) {
    const std::string name = names->path().filename().string();
    if (::fnmatch(element.c_str(), name.c_str(), 0) == 0) out.push_back(folder + name);
  }
  if (error) return fail_errno(error.value(), "read the folder " + (folder.empty() ? "." : folder));
  return {};
}

/// What fits the pattern's elements so far, each with its '/' behind it; `element` is the next one.
Result<std::vector<std::string>> step(const std::vector<std::string>& found, const std::string& element) {
  std::vector<std::string> next;
  for (const std::string& folder : found) {
    if (is_pattern(element)) {
      if (auto done = match_in(folder, element, next); !done) return done.error();
    } else if (std::error_code error; element.empty() || fs::exists(folder + element, error)) {
      next.push_back(folder + element);
    }
  }
  return next;
}

}  // namespace

bool is_pattern(std::string_view path) {
  return path.find_first_of("*?[\\") != std::string_view::npos;
}

Result<std::vector<std::string>> matching_files(const std::string& path) {
  if (!is_well_formed(path))
    return fail(Errc::invalid_argument, "'{}' is no pattern: a [ is not closed, or nothing is behind a \\",
                path);
  std::vector<std::string> found{""};
  for (std::size_t at = 0; at <= path.size() && !found.empty();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    auto next = step(found, path.substr(at, slash - at));
    if (!next) return next;
    found = std::move(*next);
    if (slash < path.size()) {
      for (std::string& folder : found) folder += '/';
    }
    at = slash + 1;
  }
  std::sort(found.begin(), found.end());
  std::error_code error;
  if (found.empty() && fs::exists(path, error)) found.push_back(path);
  return found;
}

}  // namespace vigil::rules
