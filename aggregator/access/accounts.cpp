#include "aggregator/access/accounts.h"

#include "aggregator/access/secrets.h"
#include "common/text/human.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace vigil::aggregator::access {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

std::string to_json(const Token& token) {
  return boost::json::serialize(boost::json::object{
      {"role", to_string(token.role)}, {"scope", to_string(token.scope)}, {"expires_ms", token.expires_ms}});
}

std::string to_json(const User& user) {
  return boost::json::serialize(boost::json::object{{"role", to_string(user.role)},
                                                    {"has_password", !user.password.empty()},
                                                    {"changed_ms", user.changed_ms}});
}

std::string text_of(const Statement& row, int column) {
  return std::string(row.bytes(column));
}

Result<void> each_row(Database& database, std::string_view sql,
                      const std::function<void(const Statement&)>& take) {
  auto rows = database.prepare(sql);
  if (!rows) return rows.error();
  auto more = rows->step();
  for (; more && *more; more = rows->step()) take(*rows);
  if (!more) return more.error();
  return {};
}

Result<void> keep_revoked(Database& database, const std::string& digest, const RevokedToken& revoked) {
  auto statement = database.prepare("INSERT OR REPLACE INTO revoked_token VALUES(?,?,?)");
  if (!statement) return statement.error();
  auto kept = statement->run(Blob{digest}, std::string_view(revoked.name), revoked.at_ms);
  if (!kept) return kept;
  auto forget = database.prepare(
      "DELETE FROM revoked_token WHERE digest IN (SELECT digest FROM revoked_token ORDER BY at_ms DESC LIMIT "
      "-1 OFFSET ?)");
  if (!forget) return forget.error();
  return forget->run(static_cast<std::int64_t>(kMostRevoked));
}

}  // namespace

Result<void> check_account_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '@';
  };
  if (!name.empty() && name.size() <= 64 && std::ranges::all_of(name, fits)) return {};
  return fail(Errc::invalid_argument, "a name has 1 to 64 letters, digits and . _ - @");
}

Result<void> check_password(std::string_view password) {
  // RFC 7617, 2: HTTP Basic knows none of them, so nobody could ever come in with such a password.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::ranges::any_of(password, is_control))
    return fail(Errc::invalid_argument,
                "a password has no control characters (NUL, line ends, tabs), which HTTP cannot carry");
  if (password.size() >= kLeastPasswordBytes && password.size() <= kMostPasswordBytes) return {};
  return fail(Errc::invalid_argument, "a password has {} to {} bytes", kLeastPasswordBytes,
              kMostPasswordBytes);
}

Result<std::unique_ptr<Accounts>> Accounts::load(AccessFile& file, Audit& audit,
                                                 std::function<std::int64_t()> now_ms) {
  std::unique_ptr<Accounts> accounts(new Accounts(file, audit, std::move(now_ms)));
  if (auto read = accounts->refresh(); !read) return read.error();
  return accounts;
}

Result<void> Accounts::read(Database& database, Rows& rows) {
  auto read = each_row(database,
                       "SELECT digest,name,role,scope,created_ms,expires_ms,last_used_day_ms,created_by "
                       "FROM token",
                       [&rows](const Statement& row) {
                         rows.tokens[text_of(row, 0)] = {text_of(row, 1),
                                                         role_of(row.bytes(2)).value_or(Role::none),
                                                         area_of(row.bytes(3)).value_or(Area::other),
                                                         row.integer(4),
                                                         row.integer(5),
                                                         row.integer(6),
                                                         text_of(row, 7)};
                       });
  if (!read) return read;
  read = each_row(database, "SELECT digest,name,at_ms FROM revoked_token", [&rows](const Statement& row) {
    rows.revoked[text_of(row, 0)] = {text_of(row, 1), row.integer(2)};
  });
  if (!read) return read;
  return each_row(database, "SELECT name,password,role,created_ms,changed_ms FROM user",
                  [&rows](const Statement& row) {
                    rows.users[text_of(row, 0)] = {text_of(row, 0), text_of(row, 1),
                                                   role_of(row.bytes(2)).value_or(Role::none), row.integer(3),
                                                   row.integer(4)};
                  });
}

/// With change_mutex_ held: a change begins with what is in the file.
Result<void> Accounts::catch_up() {
  std::optional<Rows> fresh;
  auto looked = file_.read([&](Database& database) -> Result<void> {
    const auto version = database.integer("PRAGMA data_version");
    if (!version) return version.error();
    if (*version == seen_version_) return {};
    Rows rows;
    if (auto done = read(database, rows); !done) return done;
    fresh = std::move(rows);
    seen_version_ = *version;
    return {};
  });
  if (fresh) take(std::move(*fresh));
  return looked;
}

void Accounts::take(Rows rows) {
  const std::unique_lock lock(mutex_);
  for (auto& [digest, token] : rows.tokens) {  // used today, and not written yet
    const auto before = tokens_.find(digest);
    if (before != tokens_.end())
      token.last_used_day_ms = std::max(token.last_used_day_ms, before->second.last_used_day_ms);
  }
  tokens_ = std::move(rows.tokens);
  revoked_ = std::move(rows.revoked);
  users_ = std::move(rows.users);
}

Result<void> Accounts::refresh() {
  const std::lock_guard changing(change_mutex_);
  return catch_up();
}

std::optional<Token> Accounts::find_token(std::string_view text) {
  if (!looks_like_token(text)) return std::nullopt;
  const std::string digest = sha256(text);
  const std::int64_t now = now_ms_();
  const std::int64_t today = now - now % kDayMs;
  {
    const std::shared_lock lock(mutex_);
    const auto found = tokens_.find(digest);
    if (found == tokens_.end()) return std::nullopt;
    const Token& token = found->second;
    if (token.expires_ms != 0 && now >= token.expires_ms) return std::nullopt;
    if (token.last_used_day_ms == today) return token;
  }
  const std::unique_lock lock(mutex_);
  const auto found = tokens_.find(digest);
  if (found == tokens_.end()) return std::nullopt;  // revoked meanwhile
  found->second.last_used_day_ms = today;
  used_.insert(found->second.name);
  return found->second;
}

std::optional<std::string> Accounts::why_over(std::string_view text) const {
  if (!looks_like_token(text)) return std::nullopt;
  const std::string digest = sha256(text);
  const std::int64_t now = now_ms_();
  const std::shared_lock lock(mutex_);
  if (const auto found = tokens_.find(digest); found != tokens_.end()) {
    const Token& token = found->second;
    if (token.expires_ms == 0 || now < token.expires_ms) return std::nullopt;
    return fmt::format("the token {} expired at {}", token.name, format_rfc3339(token.expires_ms));
  }
  const auto revoked = revoked_.find(digest);
  if (revoked == revoked_.end()) return std::nullopt;
  return fmt::format("the token {} was revoked at {}", revoked->second.name,
                     format_rfc3339(revoked->second.at_ms));
}

std::string Accounts::digest_of(const std::string& name) const {
  const std::shared_lock lock(mutex_);
  const auto found =
      std::ranges::find_if(tokens_, [&name](const auto& entry) { return entry.second.name == name; });
  return found == tokens_.end() ? std::string() : found->first;
}

/// The one that was revoked first, when there are too many; with mutex_ held.
void Accounts::forget_revoked() {
  if (revoked_.size() <= kMostRevoked) return;
  revoked_.erase(
      std::ranges::min_element(revoked_, {}, [](const auto& entry) { return entry.second.at_ms; }));
}

std::optional<User> Accounts::find_user(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = users_.find(name);
  if (found == users_.end()) return std::nullopt;
  return found->second;
}

std::vector<Token> Accounts::tokens() const {
  const std::shared_lock lock(mutex_);
  std::vector<Token> out;
  for (const auto& [digest, token] : tokens_) out.push_back(token);
  std::ranges::sort(out, {}, &Token::name);
  return out;
}

std::vector<User> Accounts::users() const {
  const std::shared_lock lock(mutex_);
  std::vector<User> out;
  for (const auto& [name, user] : users_) out.push_back(user);
  return out;
}

Result<std::string> Accounts::create_token(Token token, const Actor& actor) {
  if (auto fine = check_account_name(token.name); !fine) return fine.error();
  const std::lock_guard changing(change_mutex_);
  if (auto fresh = catch_up(); !fresh) return fresh.error();
  const auto all = tokens();
  if (std::ranges::find(all, token.name, &Token::name) != all.end())
    return fail(Errc::conflict, "there is a token {} already: revoke it first, or choose another name",
                token.name);
  if (all.size() >= kMostTokens) return fail(Errc::limit, "there are {} tokens: revoke some", all.size());
  auto text = new_token();
  if (!text) return text.error();
  const std::string digest = sha256(*text);
  token.created_ms = now_ms_();
  token.created_by = actor.name.empty() ? std::string(to_string(actor.kind)) : actor.name;
  auto written = file_.change([&](Database& database) -> Result<void> {
    auto statement = database.prepare("INSERT INTO token VALUES(?,?,?,?,?,?,?,?)");
    if (!statement) return statement.error();
    auto done = statement->run(std::string_view(token.name), Blob{digest}, to_string(token.role),
                               to_string(token.scope), token.created_ms, token.expires_ms, std::int64_t{0},
                               std::string_view(token.created_by));
    if (!done) return done;
    return audit_.add(database, actor, {"token.create", token.name, "", to_json(token)});
  });
  if (!written) return written.error();
  const std::unique_lock lock(mutex_);
  tokens_[digest] = std::move(token);
  return text;
}

Result<void> Accounts::revoke_token(const std::string& name, const Actor& actor) {
  const std::lock_guard changing(change_mutex_);
  if (auto fresh = catch_up(); !fresh) return fresh;
  const auto all = tokens();
  const auto found = std::ranges::find(all, name, &Token::name);
  if (found == all.end()) return fail(Errc::not_found, "there is no token {}", name);
  const std::string digest = digest_of(name);
  const RevokedToken revoked{name, now_ms_()};
  auto written = file_.change([&](Database& database) -> Result<void> {
    auto statement = database.prepare("DELETE FROM token WHERE name=?");
    if (!statement) return statement.error();
    if (auto done = statement->run(std::string_view(name)); !done) return done;
    if (auto kept = keep_revoked(database, digest, revoked); !kept) return kept;
    return audit_.add(database, actor, {"token.revoke", name, to_json(*found), ""});
  });
  if (!written) return written;
  const std::unique_lock lock(mutex_);
  tokens_.erase(digest);
  revoked_[digest] = revoked;
  forget_revoked();
  used_.erase(name);
  return {};
}

Result<void> Accounts::put_user(const UserChange& change, const Actor& actor) {
  if (auto fine = check_account_name(change.name); !fine) return fine;
  const std::lock_guard changing(change_mutex_);
  if (auto fresh = catch_up(); !fresh) return fresh;
  const auto before = find_user(change.name);
  if (change.create && before) return fail(Errc::conflict, "there is a user {} already", change.name);
  if (!change.create && !before) return fail(Errc::not_found, "there is no user {}", change.name);
  if (change.create && !change.role)
    return fail(Errc::invalid_argument, "role is missing: viewer, operator or admin");
  if (change.create && users().size() >= kMostUsers) return fail(Errc::limit, "there are too many users");
  User user = before.value_or(User{change.name, "", Role::none, now_ms_(), 0});
  user.changed_ms = std::max(now_ms_(), user.changed_ms + 1);  // what was verified before counts no more
  if (!change.password.empty()) user.password = change.password;
  if (change.role) user.role = *change.role;
  auto written = file_.change([&](Database& database) -> Result<void> {
    auto statement = database.prepare("INSERT OR REPLACE INTO user VALUES(?,?,?,?,?)");
    if (!statement) return statement.error();
    auto done = statement->run(std::string_view(user.name), std::string_view(user.password),
                               to_string(user.role), user.created_ms, user.changed_ms);
    if (!done) return done;
    const std::string_view what = change.create             ? "user.add"
                                  : change.password.empty() ? "user.role"
                                                            : "user.password";
    return audit_.add(database, actor, {what, user.name, before ? to_json(*before) : "", to_json(user)});
  });
  if (!written) return written;
  const std::unique_lock lock(mutex_);
  users_[user.name] = std::move(user);
  return {};
}

Result<void> Accounts::remove_user(const std::string& name, const Actor& actor) {
  const std::lock_guard changing(change_mutex_);
  if (auto fresh = catch_up(); !fresh) return fresh;
  const auto before = find_user(name);
  if (!before) return fail(Errc::not_found, "there is no user {}", name);
  auto written = file_.change([&](Database& database) -> Result<void> {
    auto statement = database.prepare("DELETE FROM user WHERE name=?");
    if (!statement) return statement.error();
    if (auto done = statement->run(std::string_view(name)); !done) return done;
    return audit_.add(database, actor, {"user.remove", name, to_json(*before), ""});
  });
  if (!written) return written;
  const std::unique_lock lock(mutex_);
  users_.erase(name);
  return {};
}

Result<void> Accounts::write_use() {
  const std::lock_guard changing(change_mutex_);
  std::set<std::string> used;
  {
    const std::unique_lock lock(mutex_);
    used.swap(used_);
  }
  if (used.empty()) return {};
  const std::int64_t now = now_ms_();
  auto written = file_.change([&](Database& database) -> Result<void> {
    auto statement = database.prepare("UPDATE token SET last_used_day_ms=? WHERE name=?");
    if (!statement) return statement.error();
    for (const std::string& name : used) {
      if (auto done = statement->run(now - now % kDayMs, std::string_view(name)); !done) return done;
    }
    return {};
  });
  if (written) return written;
  const std::unique_lock lock(mutex_);
  used_.merge(used);
  return written;
}

Result<bool> ensure_admin(AccessFile& file, Audit& audit, const std::string& name, const Actor& actor,
                          const std::function<std::int64_t()>& now_ms) {
  auto accounts = Accounts::load(file, audit, now_ms);
  if (!accounts) return accounts.error();
  if ((*accounts)->find_user(name)) return false;
  const auto put = (*accounts)->put_user({name, "", Role::admin, true}, actor);
  if (!put) return put.error();
  return true;
}

}  // namespace vigil::aggregator::access
