// token, user, whoami: who is let in.
#include "cli/commands/command.h"
#include "cli/commands/password.h"
#include "common/text/human.h"

#include <memory>
#include <string>
#include <utility>

namespace vigil::cli {
namespace {

constexpr std::int64_t kSoonMs = 7LL * 86'400'000;

Cell moment_cell(std::int64_t t_ms, const char* never) {
  return t_ms == 0 ? Cell{t_ms, never, Style::faint} : Cell{t_ms, format_local_time(t_ms), Style::plain};
}

Cell state_cell(const v1::Token& token, std::int64_t now_ms) {
  if (token.expires_ms() == 0) return Cell::of("good", Style::good);
  if (token.expires_ms() <= now_ms) return Cell::of("expired", Style::bad);
  const bool is_late = token.expires_ms() - now_ms < kSoonMs;
  return is_late ? Cell::of("ends soon", Style::warning) : Cell::of("good", Style::good);
}

/// A token for one thing has none.
Cell role_cell(const std::string& role) {
  Cell cell = Cell::of(role);
  if (role == "none") cell.text = "–";
  return cell;
}

// ---- token

Result<Exit> list_tokens(Context& context) {
  const auto tokens = context.client->tokens();
  if (!tokens) return tokens.error();
  Listing listing;
  listing.empty_note = "No tokens.";
  listing.columns = {{"state", "STATE"},
                     {"name", "NAME"},
                     {"role", "ROLE"},
                     {"scope", "SCOPE"},
                     {"expires_ms", "EXPIRES"},
                     {"last_used_day_ms", "LAST USED", Align::left, Fit::useful},
                     {"created_ms", "CREATED", Align::left, Fit::optional},
                     {"created_by", "BY", Align::left, Fit::optional}};
  for (const v1::Token& token : tokens->tokens()) {
    Cell used = moment_cell(token.last_used_day_ms(), "never");
    if (token.last_used_day_ms() != 0) used.text = used.text.substr(0, 10);  // the day
    listing.rows.push_back({state_cell(token, context.now_ms), Cell::of(token.name(), Style::bold),
                            role_cell(token.role()), Cell::of(token.scope()),
                            moment_cell(token.expires_ms(), "never"), std::move(used),
                            moment_cell(token.created_ms(), ""), Cell::of(token.created_by())});
  }
  show(context, listing);
  return Exit::ok;
}

struct TokenOptions {
  v1::CreateTokenRequest request;
  std::string valid;
};

Run declare_token_create(CLI::App& app) {
  const auto wanted = std::make_shared<TokenOptions>();
  app.add_option_function<std::string>(
         "NAME", [wanted](const std::string& name) { wanted->request.set_name(name); },
         "Who or what shall use it")
      ->required()
      ->type_name("");
  app.add_option_function<std::string>(
         "--role", [wanted](const std::string& role) { wanted->request.set_role(role); },
         "viewer, operator or admin")
      ->check(CLI::IsMember({"viewer", "operator", "admin"}));
  app.add_option_function<std::string>(
         "--scope", [wanted](const std::string& scope) { wanted->request.set_scope(scope); },
         "Instead of a role: for one thing only")
      ->check(CLI::IsMember({"query", "remote_write", "metrics"}));
  app.add_option("--ttl", wanted->valid, "How long it is good for: 90d; else until it is revoked")
      ->type_name("TIME");
  app.footer(
      "Examples:\n  vigil token create grafana --scope query\n  vigil token create alice --role operator "
      "--ttl "
      "90d\nPrints the token, which is kept nowhere else: put it into a file that only its user can read.");
  return [wanted](Context& context) -> Result<Exit> {
    if (wanted->request.role().empty() == wanted->request.scope().empty())
      return fail(Errc::invalid_argument, "--role or --scope: one of them, for example --role viewer");
    if (!wanted->valid.empty()) {
      const auto valid = parse_duration(wanted->valid);
      if (!valid || valid->count() <= 0)
        return fail(Errc::invalid_argument, "--ttl: '{}' is not a duration; write for example 90d",
                    wanted->valid);
      wanted->request.set_valid_ms(valid->count());
    }
    const auto made = context.client->create_token(wanted->request);
    if (!made) return made.error();
    if (context.format == Format::table) {
      fmt::print("{}\n", made->token());
      return Exit::ok;
    }
    Listing listing;
    listing.shape = Shape::pairs;
    listing.columns = {{"key", "WHAT"}, {"value", "VALUE"}};
    listing.rows.push_back({Cell::of("name"), Cell::of(made->info().name())});
    listing.rows.push_back({Cell::of("token"), Cell::of(made->token())});
    show(context, listing);
    return Exit::ok;
  };
}

Run declare_token_revoke(CLI::App& app) {
  const auto request = std::make_shared<v1::RevokeTokenRequest>();
  app.add_option_function<std::string>(
         "NAME", [request](const std::string& name) { request->set_name(name); }, "As in `vigil token`")
      ->required()
      ->type_name("");
  app.footer("At once nobody is let in by it.");
  return [request](Context& context) -> Result<Exit> {
    const auto done = context.client->revoke_token(*request);
    if (!done) return done.error();
    return Exit::ok;
  };
}

// ---- user

Result<Exit> list_users(Context& context) {
  const auto users = context.client->users();
  if (!users) return users.error();
  Listing listing;
  listing.empty_note = "No users.";
  listing.columns = {{"name", "NAME"},
                     {"role", "ROLE"},
                     {"has_password", "PASSWORD"},
                     {"changed_ms", "CHANGED", Align::left, Fit::useful},
                     {"created_ms", "CREATED", Align::left, Fit::optional}};
  for (const v1::User& user : users->users()) {
    Cell password = Cell::flag(user.has_password());
    password.text = user.has_password() ? "yes" : "no";
    listing.rows.push_back({Cell::of(user.name(), Style::bold), Cell::of(user.role()), std::move(password),
                            moment_cell(user.changed_ms(), ""), moment_cell(user.created_ms(), "")});
  }
  show(context, listing);
  return Exit::ok;
}

struct UserOptions {
  v1::PutUserRequest request;
  std::string password_file;
  bool no_password = false;
};
using UserOptionsPtr = std::shared_ptr<UserOptions>;

Result<Exit> put_user(Context& context, const UserOptionsPtr& wanted) {
  const auto done = context.client->put_user(wanted->request);
  if (!done) return done.error();
  return Exit::ok;
}

UserOptionsPtr declare_name(CLI::App& app) {
  auto wanted = std::make_shared<UserOptions>();
  app.add_option_function<std::string>(
         "NAME", [wanted](const std::string& name) { wanted->request.set_name(name); }, "Of the user")
      ->required()
      ->type_name("");
  return wanted;
}

void declare_password_file(CLI::App& app, const UserOptionsPtr& wanted) {
  app.add_option("--password-file", wanted->password_file,
                 "File with the password, not readable by others; - for standard input; else it is asked for")
      ->type_name("FILE");
}

Result<void> take_password(const UserOptionsPtr& wanted) {
  auto password = ask_password(wanted->request.name(), wanted->password_file);
  if (!password) return password.error();
  wanted->request.set_password(std::move(*password));
  return {};
}

Run declare_user_add(CLI::App& app) {
  const auto wanted = declare_name(app);
  app.add_option_function<std::string>(
         "--role", [wanted](const std::string& role) { wanted->request.set_role(role); },
         "viewer, operator or admin")
      ->check(CLI::IsMember({"viewer", "operator", "admin"}))
      ->required();
  declare_password_file(app, wanted);
  app.add_flag("--no-password", wanted->no_password, "Let in by a certificate of that name only");
  return [wanted](Context& context) -> Result<Exit> {
    wanted->request.set_create(true);
    if (!wanted->no_password) {
      if (auto taken = take_password(wanted); !taken) return taken.error();
    }
    return put_user(context, wanted);
  };
}

Run declare_user_password(CLI::App& app) {
  const auto wanted = declare_name(app);
  declare_password_file(app, wanted);
  return [wanted](Context& context) -> Result<Exit> {
    if (auto taken = take_password(wanted); !taken) return taken.error();
    return put_user(context, wanted);
  };
}

Run declare_user_role(CLI::App& app) {
  const auto wanted = declare_name(app);
  app.add_option_function<std::string>(
         "ROLE", [wanted](const std::string& role) { wanted->request.set_role(role); },
         "viewer, operator or admin")
      ->check(CLI::IsMember({"viewer", "operator", "admin"}))
      ->required()
      ->type_name("");
  return [wanted](Context& context) -> Result<Exit> { return put_user(context, wanted); };
}

Run declare_user_remove(CLI::App& app) {
  const auto wanted = declare_name(app);
  return [wanted](Context& context) -> Result<Exit> {
    v1::RemoveUserRequest request;
    request.set_name(wanted->request.name());
    const auto done = context.client->remove_user(request);
    if (!done) return done.error();
    return Exit::ok;
  };
}

}  // namespace

Run declare_token(CLI::App& app) {
  return declare_parts(
      app,
      {{"list", "All of them, and when they were used last", [](CLI::App&) { return Run(list_tokens); }},
       {"create", "Make one", declare_token_create},
       {"revoke", "Remove one", declare_token_revoke}},
      list_tokens);
}

Run declare_user(CLI::App& app) {
  return declare_parts(app,
                       {{"list", "All of them", [](CLI::App&) { return Run(list_users); }},
                        {"add", "A new one", declare_user_add},
                        {"passwd", "Another password", declare_user_password},
                        {"role", "Another role", declare_user_role},
                        {"remove", "Remove one", declare_user_remove}},
                       list_users);
}

Run declare_whoami(CLI::App&) {
  return [](Context& context) -> Result<Exit> {
    const auto caller = context.client->who_am_i();
    if (!caller) return caller.error();
    Listing listing;
    listing.shape = Shape::pairs;
    listing.columns = {{"key", "WHAT"}, {"value", "VALUE"}};
    for (const auto& [key, value] : {std::pair<const char*, const std::string&>{"kind", caller->kind()},
                                     {"name", caller->name()},
                                     {"role", caller->role()},
                                     {"scope", caller->scope()}}) {
      const bool says_nothing = value.empty() && context.format == Format::table;
      if (!says_nothing) listing.rows.push_back({Cell::of(key), Cell::of(value)});
    }
    show(context, listing);
    return Exit::ok;
  };
}

}  // namespace vigil::cli
