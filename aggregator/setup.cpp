#include "aggregator/setup.h"

#include "aggregator/access/accounts.h"
#include "common/clock.h"
#include "common/tls/kept_file.h"

#include <cstdio>
#include <filesystem>

namespace vigil::aggregator {
namespace {

Result<bool> make_admin(const std::string& path, const std::string& person) {
  if (!std::filesystem::exists(path)) {  // it belongs to whom the folder belongs, not to who runs this
    if (auto made = tls::keep_file(path, "", tls::Readable::by_owner); !made) return made.error();
  }
  return access::ensure_admin(path, person, wall_ms);
}

}  // namespace

int set_up(const Invocation& invocation) {
  const int done = identity::init_command(data_directory(invocation.config), invocation.init,
                                          invocation.config.identity.lives);
  const std::string& person = invocation.init.person;
  if (done != 0 || person.empty()) return done;
  const auto is_new = make_admin(access_path(invocation.config), person);
  if (!is_new) {
    fmt::print(stderr, "vigil-aggregator: {}\n", is_new.error().message);
    return 1;
  }
  if (*is_new) fmt::print("{} is an admin (vigil user role {} ROLE changes that)\n", person, person);
  return 0;
}

}  // namespace vigil::aggregator
