#include "agent/self/memory.h"

#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <malloc.h>
#include <sys/mman.h>

#include <charconv>
#include <string_view>

namespace vigil::agent {
namespace {

/// One mapping of proc_pid_smaps(5), as far as it matters here.
struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool of_program_file = false;  // private, not writable, backed by a file
};

/// "7f0a4000-7f0a6000 r-xp 00000000 08:01 1234   /usr/bin/x", or nothing when the line is one of a mapping's
/// properties.
std::optional<Mapping> parse_header(std::string_view line) {
  Fields fields(line);
  const auto [first, last] = split_once(fields.next(), '-');
  const auto begin = parse_hex(first);
  const auto end = parse_hex(last);
  const std::string_view permissions = fields.next();
  if (!begin || !end || permissions.size() != 4) return {};
  fields.skip(3);
  const bool readable_only = permissions[0] == 'r' && permissions[1] == '-' && permissions[3] == 'p';
  return Mapping{static_cast<std::uintptr_t>(*begin), static_cast<std::uintptr_t>(*end),
                 readable_only && fields.next().starts_with('/')};
}

}  // namespace

Result<std::size_t> release_startup_memory() {
  ::malloc_trim(0);
  ProcFile smaps("/proc/self/smaps");
  const auto text = smaps.read();
  if (!text) return text.error();
  std::size_t released = 0;
  Mapping current;
  for (Lines lines(*text); lines.next();) {
    if (const auto header = parse_header(lines.line())) {
      current = *header;
      continue;
    }
    // Pages of the file that were written to (relocated constants) are anonymous now: dropping them would
    // undo the relocation.
    if (!current.of_program_file || !lines.line().starts_with("Anonymous:")) continue;
    Fields fields(lines.line());
    fields.skip(1);
    if (fields.number() != 0) continue;
    const std::size_t size = current.end - current.begin;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel gives addresses as text
    if (::madvise(reinterpret_cast<void*>(current.begin), size, MADV_DONTNEED) == 0) released += size;
  }
  return released;
}

}  // namespace vigil::agent
