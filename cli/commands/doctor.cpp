// doctor: the way to the aggregator, the aggregator, and its fleet: what is wrong, and what would mend it.
#include "cli/commands/command.h"
#include "cli/doctor/fleet_checks.h"
#include "cli/doctor/refusal.h"
#include "cli/doctor/way.h"
#include "common/clock.h"
#include "common/doctor/checks.h"
#include "common/doctor/probe.h"
#include "common/version.h"

#include <iterator>
#include <optional>

namespace vigil::cli {
namespace {

using doctor::Findings;

constexpr std::chrono::seconds kPatience{5};  // with the port

void add_findings(Findings& findings, Findings more) {
  std::ranges::move(more, std::back_inserter(findings));
}

std::optional<v1::WhoAmIResponse> ask_who_we_are(Client& client) {
  auto who = client.who_am_i();
  return who ? std::optional(std::move(*who)) : std::nullopt;
}

Findings look_at_fleet(Client& client, const ClientOptions& options) {
  const auto refused = [&](const Error& error) {
    return check_refusal(error, options,
                         error.code == Errc::permission ? ask_who_we_are(client) : std::nullopt);
  };
  Asked asked;
  asked.at_ms = wall_ms();
  const auto status = client.status();
  asked.answered_ms = wall_ms();
  if (!status) return {refused(status.error())};
  Findings findings = check_status(*status, asked, std::string(kVersion));
  const auto hosts = client.hosts({});
  if (!hosts) {
    findings.push_back(refused(hosts.error()));
  } else {
    add_findings(findings, check_hosts(*hosts, status->version()));
  }
  return findings;
}

Style style_of_verdict(doctor::Verdict verdict) {
  if (verdict == doctor::Verdict::ok) return Style::good;
  return verdict == doctor::Verdict::warning ? Style::warning : Style::bad;
}

Listing listing_of(const Findings& findings) {
  Listing listing;
  listing.columns = {
      {"verdict", "VERDICT"}, {"area", "AREA"}, {"about", "ABOUT"}, {"seen", "SEEN"}, {"fix", "FIX"}};
  for (const doctor::Finding& finding : findings) {
    listing.rows.push_back(
        {Cell::of(std::string(to_string(finding.verdict)), style_of_verdict(finding.verdict)),
         Cell::of(finding.area), Cell::of(finding.about), Cell::of(finding.seen), Cell::of(finding.fix)});
  }
  return listing;
}

Result<Exit> examine(Context& context) {
  Findings findings = look_at_way(context.aggregator, kPatience);
  if (doctor::is_well(findings)) add_findings(findings, look_at_fleet(*context.client, context.aggregator));
  findings.push_back(check_clock(doctor::look_at_clock()));
  if (context.format == Format::table) {
    fmt::print("{}", to_table(findings));  // each fix beneath what it mends
  } else {
    show(context, listing_of(findings));
  }
  return doctor::is_well(findings) ? Exit::ok : Exit::unwell;
}

}  // namespace

Run declare_doctor(CLI::App& app) {
  app.footer(
      "Changes nothing. On the machines themselves: `vigil-aggregator doctor` and `vigil-agent doctor`.\n"
      "Examples:\n  vigil doctor\n  vigil doctor -o json");
  return [](Context& context) { return examine(context); };
}

}  // namespace vigil::cli
