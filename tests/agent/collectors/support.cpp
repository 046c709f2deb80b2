#include "tests/agent/collectors/support.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace vigil::test {

namespace fs = std::filesystem;

namespace {

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void spill(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

/// 1234 with scale 2 is "12.34", 1200 is "12".
std::string decimal(std::int64_t raw, int scale) {
  std::string digits = std::to_string(raw);
  const bool negative = digits.front() == '-';
  if (negative) digits.erase(0, 1);
  const auto places = static_cast<std::size_t>(scale);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  if (places > 0) {
    digits.insert(digits.size() - places, ".");
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.back() == '.') digits.pop_back();
  }
  return (negative ? "-" : "") + digits;
}

std::string series_text(const agent::Sheet& sheet, std::size_t column) {
  const SeriesSpec spec = sheet.spec(column);
  return spec.name + (spec.labels.empty() ? "" : spec.labels.to_string());
}

/// The series, or with Cut::keeps_values the series and their values.
std::set<std::string> said_by(const agent::Sheet& sheet, Cut cut) {
  std::set<std::string> said;
  if (cut == Cut::may_cut_labels) return said;
  if (cut == Cut::invents_nothing) {
    for (std::size_t i = 0; i < sheet.width(); ++i) said.insert(series_text(sheet, i));
    return said;
  }
  std::istringstream text(to_text(sheet));
  for (std::string line; std::getline(text, line);) said.insert(line);
  return said;
}

/// `copy` becomes a tree like `host` made of links, in which only the folders on the way to `file` are real
/// and `file` is missing.
void link_all_but(const fs::path& host, const fs::path& copy, const fs::path& file) {
  fs::path way;
  for (const fs::path& part : file) {
    fs::create_directories(copy / way);
    for (const auto& entry : fs::directory_iterator(host / way)) {
      if (entry.path().filename() != part)
        fs::create_symlink(entry.path(), copy / way / entry.path().filename());
    }
    way /= part;
  }
}

}  // namespace

TempDir::TempDir() {
  std::string name = (fs::temp_directory_path() / "vigil-test-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void TempDir::write(std::string_view relative, std::string_view content) const {
  spill(path_ / relative, content);
}

fs::path host_path(std::string_view host) {
  const fs::path source = VIGIL_SOURCE_DIR;
  if (host == "mixed") return source / ".." / "shared" / "hosts" / "mixed";
  return source / "tests" / "fixtures" / "hosts" / host;
}

bool have_host(std::string_view host) {
  if (fs::exists(host_path(host))) return true;
  if (host != "mixed") FAIL("no recorded host at " << host_path(host));
  WARN("skipped: recorded host 'mixed' is not at " << host_path(host));
  return false;
}

agent::CollectorOptions rooted(const fs::path& root, agent::CollectorOptions options) {
  options.roots = {(root / "proc").string(), (root / "sys").string(), root.string()};
  return options;
}

std::unique_ptr<agent::Collector> make_collector(std::string_view name,
                                                 const agent::CollectorOptions& options) {
  for (const auto& entry : agent::collector_table()) {
    if (entry.name == name) return entry.make(options);
  }
  FAIL("no collector named " << name);
  return nullptr;
}

Result<void> tick(agent::Collector& collector, agent::Sheet& sheet, std::int64_t wall_ms) {
  sheet.begin();
  Result<void> result = collector.collect(
      {wall_ms, std::chrono::steady_clock::time_point(std::chrono::milliseconds(wall_ms))}, sheet);
  sheet.end();
  return result;
}

std::string to_text(const agent::Sheet& sheet) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < sheet.width(); ++i) {
    const std::int64_t raw = sheet.values()[i];
    if (raw == kAbsent) continue;
    const agent::Family& family = sheet.family(i);
    const std::string value = family.encoding == Encoding::decimal ? decimal(raw, family.scale)
                                                                   : fmt::format("{}", double_from_raw(raw));
    lines.push_back(series_text(sheet, i) + " " + value + "\n");
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

std::string collect_text(std::string_view collector, const agent::CollectorOptions& options) {
  agent::Sheet sheet(100'000);
  const auto result = tick(*make_collector(collector, options), sheet);
  return (result ? "" : fmt::format("# error {}\n", to_string(result.error().code))) + to_text(sheet);
}

void check_golden(std::string_view host, std::string_view collector, const agent::CollectorOptions& options) {
  if (!have_host(host)) return;
  const std::string text = collect_text(collector, rooted(host_path(host), options));
  const fs::path golden =
      fs::path(VIGIL_SOURCE_DIR) / "tests/agent/collectors/golden" / host / (std::string(collector) + ".txt");
  if (::getenv("VIGIL_UPDATE_GOLDEN") != nullptr) spill(golden, text);
  INFO("host " << host << ", collector " << collector);
  REQUIRE(fs::exists(golden));
  CHECK(text == slurp(golden));
}

void check_every_prefix(std::string_view host, std::string_view collector, std::string_view file, Cut cut) {
  if (!have_host(host)) return;
  const fs::path root = host_path(host);
  const std::string whole = slurp(root / file);
  INFO("host " << host << ", collector " << collector << ", file " << file);
  REQUIRE(!whole.empty());
  agent::Sheet full(100'000);
  (void)tick(*make_collector(collector, rooted(root)), full);
  const std::set<std::string> known = said_by(full, cut);

  TempDir copy;
  link_all_but(fs::canonical(root), copy.path(), file);
  const std::size_t step = whole.size() / 400 + 1;
  std::string invented;
  for (std::size_t length = 0; length < whole.size(); length += step) {
    copy.write(file, std::string_view(whole).substr(0, length));
    agent::Sheet sheet(100'000);
    const auto result = tick(*make_collector(collector, rooted(copy.path())), sheet);
    if (!result && result.error().message.empty())
      invented += fmt::format("cut at {}: an error without a message\n", length);
    for (const std::string& series : said_by(sheet, cut)) {
      if (!known.contains(series)) invented += fmt::format("cut at {}: {}\n", length, series);
    }
  }
  CHECK(invented.empty());
  if (!invented.empty()) WARN(invented.substr(0, 2000));
}

}  // namespace vigil::test
