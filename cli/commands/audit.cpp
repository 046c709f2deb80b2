// audit: what was changed, and by whom.
#include "cli/commands/command.h"
#include "common/text/human.h"

#include <memory>
#include <string>

namespace vigil::cli {
namespace {

struct AuditOptions {
  v1::ListAuditRequest request;
  std::string since;
  std::string until;
};

Result<void> put_times(const AuditOptions& wanted, std::int64_t now_ms, v1::ListAuditRequest& out) {
  if (!wanted.since.empty()) {
    const auto since = parse_time(wanted.since, now_ms);
    if (!since) return fail(Errc::invalid_argument, "--since: {}", since.error().message);
    out.set_start_ms(*since);
  }
  if (wanted.until.empty()) return {};
  const auto until = parse_time(wanted.until, now_ms);
  if (!until) return fail(Errc::invalid_argument, "--until: {}", until.error().message);
  out.set_end_ms(*until);
  return {};
}

std::string who_text(const v1::AuditEntry& entry) {
  if (entry.who().empty()) return entry.kind();
  const bool says_itself = entry.kind() == "user" || entry.kind() == "oidc";  // "oidc:NAME"
  return says_itself ? entry.who() : fmt::format("{} {}", entry.kind(), entry.who());
}

Listing audit_listing(const v1::ListAuditResponse& found) {
  Listing listing;
  listing.empty_note = "Nothing was changed in that time.";
  listing.columns = {{"at_ms", "WHEN"},
                     {"who", "WHO", Align::left, Fit::cut, Programs::json_and_csv, 20},
                     {"from", "FROM", Align::left, Fit::optional},
                     {"what", "WHAT"},
                     {"object", "OBJECT", Align::left, Fit::cut, Programs::json_and_csv, 12},
                     {"before", "BEFORE", Align::left, Fit::cut, Programs::json_and_csv, 12},
                     {"after", "AFTER", Align::left, Fit::cut, Programs::json_and_csv, 12},
                     {"id", ""},
                     {"kind", ""}};
  for (const v1::AuditEntry& entry : found.entries()) {
    Cell who = Cell::of(entry.who(), Style::bold);
    who.text = who_text(entry);
    listing.rows.push_back({Cell{entry.at_ms(), format_local_time(entry.at_ms()), Style::plain},
                            std::move(who), Cell::of(entry.from()), Cell::of(entry.what()),
                            Cell::of(entry.object()), Cell::of(entry.before()), Cell::of(entry.after()),
                            Cell::number(static_cast<std::int64_t>(entry.id())), Cell::of(entry.kind())});
  }
  return listing;
}

}  // namespace

Run declare_audit(CLI::App& app) {
  const auto wanted = std::make_shared<AuditOptions>();
  app.add_option("--since", wanted->since, "Not before: 24h, 'yesterday 9:00'")->type_name("TIME");
  app.add_option("--until", wanted->until, "Not after")->type_name("TIME");
  app.add_option_function<std::string>(
         "--who", [wanted](const std::string& who) { wanted->request.set_who(who); },
         "Only by this user, token or certificate")
      ->type_name("NAME");
  app.add_option_function<std::string>(
         "--what", [wanted](const std::string& what) { wanted->request.set_what(what); },
         "Only what begins so: silence, token.create")
      ->type_name("WHAT");
  app.add_option_function<std::uint32_t>(
         "--limit", [wanted](const std::uint32_t& limit) { wanted->request.set_limit(limit); },
         "At most so many, the latest; 1000")
      ->type_name("N");
  app.footer("Examples:\n  vigil audit --since 24h\n  vigil audit --who alice --what silence -o json");
  return [wanted](Context& context) -> Result<Exit> {
    v1::ListAuditRequest request = wanted->request;
    if (auto put = put_times(*wanted, context.now_ms, request); !put) return put.error();
    const auto found = context.client->audit(request);
    if (!found) return found.error();
    show(context, audit_listing(*found));
    if (found->truncated())
      fmt::print(stderr, "There are more before them: --limit, or --until the first one.\n");
    return Exit::ok;
  };
}

}  // namespace vigil::cli
