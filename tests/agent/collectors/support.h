// Runs collectors on recorded hosts. A recorded host is a folder with `proc/`, `sys/` and, for what lies
// outside both, the host's own tree beside them (`etc/os-release`). Ours are in tests/fixtures/hosts; the
// host "mixed" lies outside the project and may be absent, then its tests say so and pass.
#pragma once

#include "agent/collectors/table.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::test {

/// A folder of its own under the system's temporary one, removed with everything in it at the end of the
/// scope.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  /// Writes a file, making the folders it needs: `dir.write("proc/loadavg", "0.00 ...")`.
  void write(std::string_view relative, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// The folder of a recorded host: tests/fixtures/hosts/NAME, or where "mixed" is kept.
std::filesystem::path host_path(std::string_view host);
/// False (with a message in the test's output) when the host is one kept outside the project and it is not
/// there.
bool have_host(std::string_view host);

/// Options whose roots point into `root`: root/proc, root/sys, root itself. Everything else is taken from
/// `options`.
agent::CollectorOptions rooted(const std::filesystem::path& root, agent::CollectorOptions options = {});

/// The collector of that name from the table; the test fails when there is none.
std::unique_ptr<agent::Collector> make_collector(std::string_view name,
                                                 const agent::CollectorOptions& options);

/// One tick of `collector` into `sheet`: begin, collect, end.
Result<void> tick(agent::Collector& collector, agent::Sheet& sheet, std::int64_t wall_ms = 1'700'000'000'000);

/// What a sheet holds, one line per present series, sorted: `node_load1 0.52`. Decimals exact, without
/// trailing zeros.
std::string to_text(const agent::Sheet& sheet);

/// One tick of a fresh collector as text. An error's code is the first line, `# error unsupported`; what was
/// put follows.
std::string collect_text(std::string_view collector, const agent::CollectorOptions& options);

/// Checks one tick against golden/HOST/COLLECTOR.txt. With VIGIL_UPDATE_GOLDEN=1 in the environment it writes
/// the file instead (read the difference before committing it). `options.roots` are replaced by the host's.
void check_golden(std::string_view host, std::string_view collector,
                  const agent::CollectorOptions& options = {});

/// What a cut file may give. `keeps_values`: lines of the whole file's text only, since a line without its
/// end is not trusted. `invents_nothing`: no other series, but a number may be cut short. `may_cut_labels`:
/// for files whose text becomes a label.
enum class Cut { keeps_values, invents_nothing, may_cut_labels };

/// The host with `file` ("proc/meminfo") cut at every length (at about 400 lengths when it is long), the rest
/// of the host as it is: each gives a result, never a crash, and no series that the whole file would not
/// give.
void check_every_prefix(std::string_view host, std::string_view collector, std::string_view file,
                        Cut cut = Cut::invents_nothing);

}  // namespace vigil::test
