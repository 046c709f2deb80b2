// agent and certificate: who may speak to the aggregator; invite, issue, list, revoke.
#include "cli/commands/command.h"
#include "cli/commands/invitation.h"
#include "common/text/human.h"
#include "common/text/shell_word.h"
#include "common/tls/invitation_file.h"
#include "common/tls/kept_file.h"
#include "common/tls/signing.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>

namespace vigil::cli {
namespace {

Cell until_cell(std::int64_t t_ms, Style style = Style::plain) {
  return Cell{t_ms, format_local_time(t_ms), style};
}

Result<std::int64_t> duration_of(const std::string& flag, const std::string& text) {
  if (text.empty()) return 0;
  const auto duration = parse_duration(text);
  if (!duration || duration->count() <= 0)
    return fail(Errc::invalid_argument, "{}: '{}' is not a duration; write for example 15m", flag, text);
  return duration->count();
}

// ---- list

Cell certificate_state_cell(const v1::CertificateRecord& each, std::int64_t now_ms) {
  if (each.revoked_ms() != 0) return Cell::of("revoked", Style::bad);
  if (each.not_after_ms() <= now_ms) return Cell::of("expired", Style::faint);
  const bool is_late = each.not_after_ms() - now_ms < (each.not_after_ms() - each.not_before_ms()) / 5;
  return is_late ? Cell::of("ends soon", Style::warning) : Cell::of("good", Style::good);
}

Listing list_of(const v1::ListCertificatesResponse& answer, const std::string& kind, std::int64_t now_ms) {
  Listing listing;
  listing.columns = {{"state", "STATE"},
                     {"name", "NAME"},
                     {"not_after_ms", "UNTIL"},
                     {"issued_ms", "SINCE", Align::left, Fit::useful},
                     {"serial", "SERIAL", Align::left, Fit::optional}};
  for (const v1::CertificateRecord& each : answer.certificates()) {
    if (each.kind() != kind) continue;
    listing.rows.push_back({certificate_state_cell(each, now_ms), Cell::of(each.name(), Style::bold),
                            until_cell(each.not_after_ms()), until_cell(each.issued_ms()),
                            Cell::of(each.serial(), Style::faint)});
  }
  return listing;
}

/// "2 of 5", "2 of any number".
std::string uses_of(const v1::PendingInvite& invite) {
  return fmt::format("{} of {}", invite.used(),
                     invite.uses() < 0 ? "any number" : std::to_string(invite.uses()));
}

/// Invitations are among the hosts, with an id in place of a serial number.
void add_invites(const v1::ListCertificatesResponse& answer, Listing& listing) {
  listing.columns.push_back({"invitation", "INVITATION", Align::left, Fit::useful});
  listing.columns.push_back({"used", "USED", Align::left, Fit::useful});
  listing.columns.push_back({"invited_by", "INVITED BY", Align::left, Fit::optional});
  for (std::vector<Cell>& row : listing.rows)
    row.insert(row.end(), {Cell::of(""), Cell::of(""), Cell::of("")});
  for (const v1::PendingInvite& each : answer.invites()) {
    listing.rows.push_back({Cell::of("invited", Style::warning), Cell::of(each.name(), Style::bold),
                            until_cell(each.expires_ms()), Cell::unknown(), Cell::of(""), Cell::of(each.id()),
                            Cell::of(uses_of(each)), Cell::of(each.made_by())});
  }
}

Run declare_certificate_list(CLI::App& app, const std::string& kind, const std::string& empty_note) {
  auto request = std::make_shared<v1::ListCertificatesRequest>();
  app.add_flag_function(
      "--all", [request](std::int64_t) { request->set_ended(true); }, "Also what expired or was revoked");
  return [request, kind, empty_note](Context& context) -> Result<Exit> {
    const auto answer = context.client->certificates(*request);
    if (!answer) return answer.error();
    Listing listing = list_of(*answer, kind, context.now_ms);
    if (kind == "host") add_invites(*answer, listing);
    listing.empty_note = empty_note;
    show(context, listing);
    return Exit::ok;
  };
}

// ---- invite

struct InviteFlags {
  v1::InviteRequest request;
  std::string ttl;
  std::string address;
  std::string uses;
  std::string out;
};

Result<std::int32_t> uses_from(const std::string& text) {
  if (text == "unlimited") return -1;
  std::int32_t uses = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), uses);
  if (error != std::errc() || end != text.data() + text.size() || uses < 1)
    return fail(Errc::invalid_argument, "--uses: '{}' must be a number from 1, or unlimited", text);
  return uses;
}

/// Who is to use it, how often, and until when.
std::string remark_on(const InviteFlags& flags, std::int64_t expires_ms) {
  const std::string until = format_local_time(expires_ms);
  const v1::InviteRequest& request = flags.request;
  if (request.pattern().empty())
    return fmt::format("on {} before {}, as root. It can be used once.", request.name(), until);
  return fmt::format("on hosts whose names are like {} before {}, as root. It can be used {}.",
                     request.pattern(), until,
                     request.uses() < 0 ? "any number of times" : "by " + counted(request.uses(), "host"));
}

/// The way by a file, for what hands secrets to hosts.
Result<void> write_invitation(const InviteFlags& flags, const tls::InvitationFile& invitation,
                              const std::string& remark) {
  if (auto kept = tls::keep_file(
          flags.out, tls::to_text(invitation, "For vigil-agent enroll --invitation FILE " + remark),
          tls::Readable::by_owner);
      !kept)
    return kept;
  return {};
}

Result<Exit> invite(Context& context, InviteFlags& flags) {
  const auto ttl = duration_of("--ttl", flags.ttl);
  if (!ttl) return ttl.error();
  flags.request.set_ttl_ms(*ttl);
  if (flags.request.pattern().empty() == flags.request.name().empty())
    return fail(
        Errc::invalid_argument,
        "who is invited? --name NAME one host, or --name-pattern 'node-*' --uses N hosts that say their "
        "own");
  if (!flags.request.pattern().empty() && flags.uses.empty())
    return fail(Errc::invalid_argument, "--name-pattern needs --uses: for how many hosts, or unlimited");
  if (!flags.uses.empty()) {
    const auto uses = uses_from(flags.uses);
    if (!uses) return uses.error();
    flags.request.set_uses(*uses);
  }
  if (!flags.address.empty()) {
    if (auto fine = check_address(flags.address); !fine) return fine.error();
  }
  if (!flags.out.empty()) {  // an invitation whose token nobody has would stay open
    if (auto can = tls::try_file(flags.out); !can)
      return fail(can.error().code, "--out: {}; nobody was invited", can.error().message);
  }
  const auto invited = context.client->invite(flags.request);
  if (!invited) return invited.error();
  const tls::InvitationFile invitation{flags.address.empty() ? invited->address() : flags.address,
                                       "sha256:" + invited->fingerprint(), invited->token()};
  const std::string doubt =
      doubt_about(invitation.aggregator, {invited->hosts().begin(), invited->hosts().end()});
  if (!doubt.empty()) fmt::print(stderr, "vigil: warning: {}\n", doubt);
  const std::string remark = remark_on(flags, invited->expires_ms());
  std::string command = fmt::format("vigil-agent enroll --aggregator {} --token {} --fingerprint {}",
                                    invitation.aggregator, invitation.token, invitation.fingerprint);
  if (!flags.out.empty()) {
    if (auto written = write_invitation(flags, invitation, remark); !written) return written.error();
    command = "vigil-agent enroll --invitation " + shell_word(flags.out);
  }
  if (context.format == Format::table) {
    fmt::print("{}\n", command);
    fmt::print(stderr, "{} {}\n", flags.out.empty() ? "Run it" : "Take the file along, and run it", remark);
    return Exit::ok;
  }
  Listing listing;
  listing.shape = Shape::pairs;
  listing.columns = {{"key", "WHAT"}, {"value", "VALUE"}};
  listing.rows = {{Cell::of("command"), Cell::of(command)},
                  {Cell::of("token"), flags.out.empty() ? Cell::of(invitation.token) : Cell::unknown()},
                  {Cell::of("fingerprint"), Cell::of(invited->fingerprint())},
                  {Cell::of("address"), Cell::of(invitation.aggregator)},
                  {Cell::of("expires_ms"), Cell::number(invited->expires_ms())}};
  show(context, listing);
  return Exit::ok;
}

Run declare_invite(CLI::App& app) {
  auto flags = std::make_shared<InviteFlags>();
  auto* name = app.add_option_function<std::string>(
      "--name", [flags](const std::string& said) { flags->request.set_name(said); },
      "What the host will be called");
  name->type_name("NAME");
  app.add_option_function<std::string>(
         "--name-pattern", [flags](const std::string& pattern) { flags->request.set_pattern(pattern); },
         "What the names of many hosts are like, which each says itself; * for any characters")
      ->excludes(name)
      ->type_name("PATTERN");
  app.add_option("--uses", flags->uses, "For how many hosts, with --name-pattern")->type_name("N|unlimited");
  app.add_option("--ttl", flags->ttl, "How long it is good; 7d at most, 366d with --name-pattern [15m]")
      ->type_name("TIME");
  app.add_option("--address", flags->address,
                 "Where the host reaches the aggregator [what the aggregator thinks]")
      ->type_name("HOST:PORT");
  app.add_option("--out", flags->out, "Write the token to this file instead, which only its owner may read")
      ->type_name("FILE");
  app.add_flag_function(
      "--replace", [flags](std::int64_t) { flags->request.set_replace(true); },
      "Also when there is a certificate of this name: it ends when the invitation is used");
  app.footer(
      "Examples:\n  vigil agent invite --name web-1\n  vigil agent invite --name web-1 --address "
      "monitor.example.org:8460\n  vigil agent invite --name web-1 --ttl 1d --replace\n"
      "  vigil agent invite --name-pattern 'node-*' --uses unlimited --ttl 90d \\\n    --out invitation");
  return [flags](Context& context) { return invite(context, *flags); };
}

// ---- revoke

Result<Exit> revoke(Context& context, const v1::RevokeRequest& request) {
  const auto revoked = context.client->revoke(request);
  if (!revoked) return revoked.error();
  const std::string certificates =
      counted(static_cast<std::uint64_t>(revoked->serials_size()), "certificate");
  if (request.kind() == "person")  // nobody invites people
    fmt::print("revoked: {}\n", certificates);
  else
    fmt::print("revoked: {}, {}\n", certificates, counted(revoked->invites(), "invitation"));
  return Exit::ok;
}

Run declare_agent_revoke(CLI::App& app) {
  auto request = std::make_shared<v1::RevokeRequest>();
  request->set_kind("host");
  auto* name = app.add_option_function<std::string>(
      "NAME", [request](const std::string& said) { request->set_name(said); },
      "Of the host whose certificates and invitations end");
  name->type_name("");
  app.add_option_function<std::string>(
         "--invitation", [request](const std::string& id) { request->set_invitation(id); },
         "Only this one, by its id in vigil agent list")
      ->type_name("ID")
      ->excludes(name);
  app.footer(
      "An invitation for many lets no host in again that was revoked after it was made: vigil agent "
      "readmit.\nExamples:\n  vigil agent revoke web-1\n  vigil agent revoke --invitation 5f0c9a1e");
  return [request](Context& context) -> Result<Exit> {
    if (request->name().empty() && request->invitation().empty())
      return fail(Errc::invalid_argument, "what is to end? The NAME of a host, or --invitation ID");
    return revoke(context, *request);
  };
}

Run declare_readmit(CLI::App& app) {
  auto request = std::make_shared<v1::RevokeRequest>();
  request->set_kind("host");
  request->set_readmit(true);
  app.add_option_function<std::string>(
         "NAME", [request](const std::string& name) { request->set_name(name); },
         "Of the host that lost its identity, or is another machine now")
      ->required()
      ->type_name("");
  app.footer("For who came by an invitation for many: the others are invited anew, with --replace.");
  return [request](Context& context) -> Result<Exit> {
    const auto done = context.client->revoke(*request);
    if (!done) return done.error();
    fmt::print("{} may enroll again by an invitation for many; revoked: {}\n", request->name(),
               counted(static_cast<std::uint64_t>(done->serials_size()), "certificate"));
    return Exit::ok;
  };
}

Run declare_certificate_revoke(CLI::App& app) {
  auto request = std::make_shared<v1::RevokeRequest>();
  request->set_kind("person");
  auto* person = app.add_option_function<std::string>(
      "--person", [request](const std::string& name) { request->set_name(name); }, "All of this person");
  person->type_name("NAME");
  app.add_option_function<std::string>(
         "--serial", [request](const std::string& serial) { request->set_serial(serial); },
         "One certificate, also an agent's")
      ->type_name("HEX")
      ->excludes(person);
  return [request](Context& context) { return revoke(context, *request); };
}

// ---- issue

struct IssueFlags {
  std::string person;
  std::string out;
  std::string life;
};

/// The key is made here and stays here.
Result<Exit> issue(Context& context, const IssueFlags& flags) {
  if (flags.person.find('/') != std::string::npos)  // files are named for the person
    return fail(Errc::invalid_argument, "--person: '{}' may have letters, digits and . _ @ -", flags.person);
  const auto life = duration_of("--life", flags.life);
  if (!life) return life.error();
  const auto key = tls::make_key();
  if (!key) return key.error();
  const auto wanted = tls::make_request(*key, flags.person);
  if (!wanted) return wanted.error();
  v1::IssuePersonRequest request;
  request.set_name(flags.person);
  request.set_request(*wanted);
  request.set_life_ms(*life);
  std::error_code error;
  const std::string out = std::filesystem::absolute(flags.out, error).lexically_normal().string();
  std::filesystem::create_directories(out, error);
  const std::string base = out + '/' + flags.person;
  const std::string ca = out + "/ca.pem";
  for (const std::string& path : {base + ".key", base + ".pem", ca}) {
    if (auto can = tls::try_file(path); !can)  // or there would be a certificate that nobody has
      return fail(can.error().code, "--out: {}; no certificate was made", can.error().message);
  }
  const auto issued = context.client->issue_person(request);
  if (!issued) return issued.error();
  for (const auto& [path, text, readable] :
       {std::tuple{base + ".key", *key, tls::Readable::by_owner},
        std::tuple{base + ".pem", issued->certificate(), tls::Readable::by_everybody},
        std::tuple{ca, issued->authority(), tls::Readable::by_everybody}}) {
    if (auto kept = tls::keep_file(path, text, readable); !kept) return kept.error();
  }
  fmt::print("a certificate for {}, good until {}:\n", issued->name(),
             format_local_time(issued->not_after_ms()));
  fmt::print("  export VIGIL_TLS_CA={}\n  export VIGIL_TLS_CERT={}\n  export VIGIL_TLS_KEY={}\n",
             shell_word(ca), shell_word(base + ".pem"), shell_word(base + ".key"));
  if (!issued->hint().empty()) fmt::print(stderr, "vigil: {}\n", issued->hint());
  return Exit::ok;
}

Run declare_issue(CLI::App& app) {
  auto flags = std::make_shared<IssueFlags>();
  app.add_option("--person", flags->person, "Whom it names: letters, digits and . _ @ -")
      ->required()
      ->type_name("NAME");
  app.add_option("--out", flags->out, "Folder for the key, the certificate and the authority's")
      ->required()
      ->type_name("FOLDER");
  app.add_option("--life", flags->life, "How long it is good [identity.person_life of the aggregator]")
      ->type_name("TIME");
  app.footer("Example:\n  vigil certificate issue --person ada --out ~/vigil");
  return [flags](Context& context) { return issue(context, *flags); };
}

}  // namespace

Run declare_agent(CLI::App& app) {
  const auto list = [](CLI::App& part) {
    return declare_certificate_list(part, "host", "No host is enrolled: vigil agent invite --name NAME.");
  };
  return declare_parts(app, {{"invite", "Makes a command that lets a host in, or many", declare_invite},
                             {"list", "Hosts with certificates, and those invited", list},
                             {"readmit", "A host that lost its identity may come again", declare_readmit},
                             {"revoke", "A host may deliver no more", declare_agent_revoke}});
}

Run declare_certificate(CLI::App& app) {
  const auto list = [](CLI::App& part) {
    return declare_certificate_list(part, "person", "Nobody has a certificate: vigil certificate issue.");
  };
  return declare_parts(app, {{"issue", "A certificate for a person", declare_issue},
                             {"list", "People with certificates", list},
                             {"revoke", "A certificate counts no more", declare_certificate_revoke}});
}

}  // namespace vigil::cli
