#include "cli/client/logins.h"

#include "common/config/files.h"
#include "common/tls/kept_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

namespace vigil::cli {
namespace {

// The aggregator counts its leeway of a minute to a token's life; half a minute more for the call itself.
constexpr std::int64_t kRenewBeforeMs = 90'000;

/// Held while the file is read and written again.
class FileLock {
 public:
  static Result<FileLock> take(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno(errno, path);
    while (::flock(fd, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      ::close(fd);
      return fail_errno(error, path);
    }
    return FileLock(fd);
  }
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

Result<FileLock> lock_beside(const std::string& path) {
  if (path.empty())
    return fail(Errc::invalid_argument, "there is no place for logins: set HOME or XDG_CONFIG_HOME");
  if (auto folder = tls::keep_folder(std::filesystem::path(path).parent_path()); !folder)
    return folder.error();
  return FileLock::take(path + ".lock");
}

std::string text_in(const boost::json::object& from, std::string_view key) {
  const auto* found = from.if_contains({key.data(), key.size()});
  return found != nullptr && found->is_string() ? std::string(found->get_string().c_str()) : std::string();
}

Result<Login> login_from(const boost::json::value& value) {
  const auto* from = value.if_object();
  const auto* expires = from == nullptr ? nullptr : from->if_contains("expires_ms");
  if (expires == nullptr || !expires->is_int64()) return fail(Errc::parse, "a login is incomplete");
  return Login{text_in(*from, "aggregator"), text_in(*from, "name"), text_in(*from, "token"),
               text_in(*from, "refresh_token"), expires->get_int64()};
}

/// Also where the way there ends at something else than a folder: the HOME of services may be /dev/null.
bool is_absent(const std::string& path) {
  return ::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

Result<std::vector<Login>> read_logins(const std::string& path) {
  if (is_absent(path)) return std::vector<Login>();
  const auto text = config::read_secret(path);
  if (!text) return text.error();
  const auto unreadable = [&path] {
    return fail(Errc::parse, "{}: no file of vigil login: remove it, and sign in again", path);
  };
  boost::json::error_code error;
  const auto document = boost::json::parse(*text, error);
  const auto* list = error || !document.is_object() ? nullptr : document.get_object().if_contains("logins");
  if (list == nullptr || !list->is_array()) return unreadable();
  std::vector<Login> logins;
  for (const boost::json::value& each : list->get_array()) {
    auto login = login_from(each);
    if (!login) return unreadable();
    logins.push_back(std::move(*login));
  }
  return logins;
}

Result<void> write_logins(const std::string& path, const std::vector<Login>& logins) {
  boost::json::array list;
  for (const Login& each : logins) {
    list.emplace_back(boost::json::object{{"aggregator", boost::json::string(each.aggregator)},
                                          {"name", boost::json::string(each.name)},
                                          {"token", boost::json::string(each.token)},
                                          {"refresh_token", boost::json::string(each.refresh_token)},
                                          {"expires_ms", each.expires_ms}});
  }
  const boost::json::object document{{"logins", std::move(list)}};
  return tls::keep_file(path, boost::json::serialize(document) + "\n", tls::Readable::by_owner);
}

Result<void> replace(const std::string& path, const std::string& aggregator, const Login* by) {
  auto logins = read_logins(path);
  if (!logins) return logins.error();
  std::erase_if(*logins, [&aggregator](const Login& each) { return each.aggregator == aggregator; });
  if (by != nullptr) logins->push_back(*by);
  return write_logins(path, *logins);
}

bool is_good_for_a_while(const Login& login, std::int64_t now_ms) {
  return now_ms + kRenewBeforeMs < login.expires_ms;
}

Error expired(const Login& login, const std::string& why) {
  return fail(Errc::permission, "the login of {} at {} has expired: vigil login\n{}", login.name,
              login.aggregator, why);
}

}  // namespace

std::string logins_path() {
  constexpr const char* kFile = "vigil/logins.json";
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config == '/') return fmt::format("{}/{}", config, kFile);  // others are ignored
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? std::string() : fmt::format("{}/.config/{}", home, kFile);
}

Result<std::optional<Login>> Logins::find(const std::string& aggregator) const {
  if (path_.empty()) return std::optional<Login>();
  const auto logins = read_logins(path_);
  if (!logins) return logins.error();
  const auto found = std::ranges::find(*logins, aggregator, &Login::aggregator);
  return found == logins->end() ? std::optional<Login>() : std::optional<Login>(*found);
}

bool Logins::is_out_of_reach() const {
  return ::faccessat(AT_FDCWD, path_.c_str(), R_OK, AT_EACCESS) != 0 && errno == EACCES;
}

Result<void> Logins::put(const Login& login) {
  const auto lock = lock_beside(path_);
  if (!lock) return lock.error();
  return replace(path_, login.aggregator, &login);
}

Result<bool> Logins::remove(const std::string& aggregator) {
  const auto found = find(aggregator);
  if (!found) return found.error();
  if (!*found) return false;
  const auto lock = lock_beside(path_);
  if (!lock) return lock.error();
  if (auto replaced = replace(path_, aggregator, nullptr); !replaced) return replaced.error();
  return true;
}

Result<Login> Logins::fresh(const Login& login, const Renew& renew, std::int64_t now_ms) {
  if (is_good_for_a_while(login, now_ms)) return login;
  const auto lock = lock_beside(path_);
  if (!lock) return lock.error();
  const auto found = find(login.aggregator);
  if (!found) return found.error();
  const Login& latest = *found ? **found : login;
  if (is_good_for_a_while(latest, now_ms)) return latest;
  const bool is_good = now_ms < latest.expires_ms;
  if (latest.refresh_token.empty())
    return is_good ? Result<Login>(latest) : expired(latest, "The provider gave no refresh token.");
  auto renewed = renew(latest);
  if (!renewed && is_good) return latest;
  if (!renewed && renewed.error().code == Errc::permission) return expired(latest, renewed.error().message);
  if (!renewed) return renewed.error();
  if (auto replaced = replace(path_, renewed->aggregator, &*renewed); !replaced) return replaced.error();
  return renewed;
}

Result<LoginToken> LoginTokens::token(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(looked_, true)) {
    auto found = logins_.find(aggregator_);
    if (!found && !logins_.is_out_of_reach()) return found.error();
    if (found) {
      login_ = std::move(*found);
    } else {
      trouble_ = found.error().message;
    }
  }
  if (!login_) return LoginToken{"", trouble_};
  auto login = logins_.fresh(*login_, renew_, now_ms);
  if (!login) return login.error();
  login_ = std::move(*login);
  return LoginToken{login_->token, ""};
}

}  // namespace vigil::cli
