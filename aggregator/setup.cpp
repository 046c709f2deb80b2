#include "aggregator/setup.h"

#include "aggregator/access/accounts.h"
#include "common/clock.h"
#include "common/log/log.h"
#include "common/tls/kept_file.h"

#include <cstdio>
#include <filesystem>

namespace vigil::aggregator {
namespace {

/// Who it is in the log of changes: it works on the folder, for whom that belongs to.
const access::Actor kInit{access::Caller::Kind::socket, "init", ""};

/// access.db, which belongs to whom the folder belongs, not to who runs this.
Result<std::unique_ptr<access::AccessFile>> open_access(const std::string& path) {
  if (!std::filesystem::exists(path)) {
    if (auto made = tls::keep_file(path, "", tls::Readable::by_owner); !made) return made.error();
  }
  return access::AccessFile::open(path);
}

/// Gives what is to be printed. Nothing is made that could not be looked up later.
Result<std::string> make(const Invocation& invocation) {
  const identity::InitOptions& options = invocation.init;
  if (auto fine = identity::check(options); !fine) return fine.error();
  const std::string folder = data_directory(invocation.config);
  if (auto kept = tls::keep_folder(folder); !kept) return kept.error();
  auto file = open_access(access_path(invocation.config));
  if (!file) return file.error();
  access::Audit audit(**file, wall_ms);
  if (auto ready = audit.ready(); !ready) return ready.error();
  auto done = identity::init(folder, options, invocation.config.identity.lives, wall_ms());
  if (!done) return done.error();
  for (const identity::Made& made : done->made) {
    if (auto noted = audit.note(kInit, {made.what, made.object, "", made.text}); !noted) return noted.error();
  }
  const std::string& person = options.person;
  if (person.empty()) return std::move(done->said);
  const auto is_new = access::ensure_admin(**file, audit, person, kInit, wall_ms);
  if (!is_new) return is_new.error();
  if (*is_new)
    done->said += fmt::format("{} is an admin (vigil user role {} ROLE changes that)\n", person, person);
  return std::move(done->said);
}

}  // namespace

int set_up(const Invocation& invocation) {
  log::set_level(log::Level::warn);  // what it makes it says itself
  const auto said = make(invocation);
  if (said) {
    fmt::print("{}", *said);
    return 0;
  }
  fmt::print(stderr, "vigil-aggregator: {}\n", said.error().message);
  return said.error().code == Errc::invalid_argument ? 2 : 1;
}

}  // namespace vigil::aggregator
