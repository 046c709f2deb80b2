// alerts explain, ack: one alert: why it is as it is, who was told, and who looks after it.
#include "cli/commands/command.h"
#include "cli/commands/explanation.h"
#include "cli/commands/figures.h"
#include "common/text/quotes.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vigil::cli {
namespace {

/// An alert by its name or id, and perhaps its host.
struct NamedAlert {
  std::string name;
  std::string host;
};

/// "HighCpu on web-1 (critical)"
std::string place_of(const v1::Alert& alert) {
  return alert.name() + (alert.instance().empty() ? "" : " on " + alert.instance()) +
         (alert.severity().empty() ? "" : " (" + alert.severity() + ")");
}

/// `mountpoint="/var"`: the labels of an alert that are not the same on all of these, without those that
/// place_of() says.
std::string differences(const v1::Alert& alert, const std::vector<v1::Alert>& all) {
  const std::map<std::string, std::string> labels(alert.labels().begin(), alert.labels().end());
  std::string out;
  for (const auto& label : labels) {
    const bool is_in_place =
        label.first == "alertname" || label.first == "instance" || label.first == "severity";
    const bool is_same = std::ranges::all_of(all, [&label](const v1::Alert& other) {
      const auto found = other.labels().find(label.first);
      return found != other.labels().end() && found->second == label.second;
    });
    if (!is_in_place && !is_same) out += fmt::format("  {}={}", label.first, in_quotes(label.second));
  }
  return out;
}

bool is_wanted(const v1::Alert& alert, const NamedAlert& wanted) {
  return (alert.id().starts_with(wanted.name) || alert.name() == wanted.name) &&
         (wanted.host.empty() || alert.instance() == wanted.host);
}

/// Those that are meant by the beginning of an id, or by a name and perhaps a host: one, or, of one name and
/// host, those of several severities. The worst is first. None: nothing listed is meant.
Result<std::vector<v1::Alert>> find_alerts(Context& context, const NamedAlert& wanted) {
  const auto alerts = context.client->alerts({});
  if (!alerts) return alerts.error();
  std::vector<v1::Alert> found;
  for (const v1::Alert& alert : alerts->alerts()) {
    const bool is_known =
        std::ranges::any_of(found, [&](const v1::Alert& other) { return other.id() == alert.id(); });
    if (is_wanted(alert, wanted) && !is_known) found.push_back(alert);
  }
  const bool are_one = std::ranges::all_of(found, [&](const v1::Alert& other) {
    return other.name() == wanted.name && !other.instance().empty() &&
           other.instance() == found.front().instance() &&
           (&other == &found.front() || other.severity() != found.front().severity());
  });
  if (found.size() < 2 || are_one) return found;
  std::string list;
  for (const v1::Alert& alert : found)
    list += "\n  " + alert.id() + "  " + printable(place_of(alert) + differences(alert, found));
  const bool has_hosts = std::ranges::any_of(
      found, [&found](const v1::Alert& other) { return other.instance() != found.front().instance(); });
  return fail(Errc::invalid_argument, "{} alerts are meant; write the id of one{}:{}", found.size(),
              has_hosts ? ", or its host" : "", list);
}

std::shared_ptr<NamedAlert> add_named_alert(CLI::App& app) {
  auto wanted = std::make_shared<NamedAlert>();
  app.add_option("ALERT", wanted->name, "Its name, or its id; the beginning of the id is enough")
      ->required()
      ->type_name("");
  app.add_option("HOST", wanted->host, "Of this host")->type_name("");
  return wanted;
}

/// Whether it may be the beginning of an id: of an alert that was over too long ago to be listed.
bool may_be_id(const std::string& text) {
  constexpr std::size_t kShortest = 4;
  return text.size() >= kShortest && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The first of those that are listed; else one that was over before, or a rule of that name.
Result<v1::ExplainAlertResponse> explain(Context& context, const NamedAlert& wanted,
                                         const std::vector<v1::Alert>& found) {
  v1::ExplainAlertRequest by_id;
  by_id.set_id(found.empty() ? wanted.name : found.front().id());
  if (!found.empty()) return context.client->explain(by_id);
  if (wanted.host.empty() && may_be_id(wanted.name)) {
    auto explained = context.client->explain(by_id);
    if (explained || explained.error().code != Errc::not_found) return explained;
  }
  v1::ExplainAlertRequest by_rule;
  by_rule.set_rule(wanted.name);
  by_rule.set_host(wanted.host);
  return context.client->explain(by_rule);
}

/// `free`: those of which nobody's acknowledgement could be withdrawn.
void say_done(const Context& context, const std::vector<v1::Alert>& alerts,
              const std::vector<v1::Alert>& free) {
  if (context.format != Format::table) {
    v1::ListAlertsResponse all;
    for (const v1::Alert& alert : alerts) *all.add_alerts() = alert;
    for (const v1::Alert& alert : free) *all.add_alerts() = alert;
    return show(context, alerts_listing(all, context.now_ms));
  }
  for (const v1::Alert& alert : alerts) {
    const std::string place = printable(place_of(alert));
    if (alert.acked_by().empty()) {
      fmt::print("Nobody looks after {} any more.\n", place);
    } else {
      fmt::print("{} looks after {}.\n", printable(alert.acked_by()), place);
    }
  }
  for (const v1::Alert& alert : free) fmt::print("Nobody looked after {}.\n", printable(place_of(alert)));
}

}  // namespace

Run declare_ack(CLI::App& app) {
  const auto wanted = add_named_alert(app);
  auto request = std::make_shared<v1::AcknowledgeAlertRequest>();
  auto withdraw = std::make_shared<bool>(false);
  app.add_option_function<std::string>(
         "--comment", [request](const std::string& text) { request->set_comment(text); },
         "What you do about it")
      ->type_name("TEXT");
  app.add_option_function<std::string>(
         "--author", [request](const std::string& name) { request->set_author(name); },
         "Who looks after it; else your user name")
      ->type_name("NAME");
  app.add_flag("--withdraw", *withdraw, "Nobody looks after it any more");
  app.footer(
      "Examples:\n  vigil ack HighCpu web-1 --comment 'the nightly job, moved to 4:00'\n"
      "Groups of alerts that are all acknowledged are not told of again; what is new in one\n"
      "is, and that they are over.\n"
      "Prints who looks after what now; for programs the alerts as they are.");
  return [wanted, request, withdraw](Context& context) -> Result<Exit> {
    auto found = find_alerts(context, *wanted);
    if (!found) return found.error();
    if (found->empty())
      return fail(Errc::not_found, "no alert {}{} is listed by `vigil alerts`", wanted->name,
                  wanted->host.empty() ? "" : " of " + wanted->host);
    if (found->size() > 1)
      std::erase_if(*found, [](const v1::Alert& alert) { return alert.state() != "firing"; });
    if (found->empty())
      return fail(Errc::conflict, "{} does not fire: only what fires can be acknowledged", wanted->name);
    if (*withdraw) {
      request->clear_author();
    } else if (request->author().empty()) {
      request->set_author(user_name());
    }
    std::vector<v1::Alert> done;
    std::vector<v1::Alert> free;  // to be withdrawn, and nobody's
    for (const v1::Alert& alert : *found) {
      if (*withdraw && alert.acked_by().empty()) {
        free.push_back(alert);
        continue;
      }
      request->set_id(alert.id());
      const auto answer = context.client->acknowledge(*request);
      if (!answer) return answer.error();
      v1::Alert& now = done.emplace_back(answer->has_alert() ? answer->alert() : alert);
      if (!answer->has_alert()) now.set_acked_by(request->author());  // an older aggregator says nothing
    }
    say_done(context, done, free);
    return Exit::ok;
  };
}

Run declare_explain(CLI::App& app) {
  const auto wanted = add_named_alert(app);
  app.footer(
      "Examples:\n  vigil alerts explain HighCpu web-1\n  vigil alerts explain 0e2b51\n"
      "Of a rule without an alert it says why nothing fires, and what its expression gives now.");
  return [wanted](Context& context) -> Result<Exit> {
    const auto found = find_alerts(context, *wanted);
    if (!found) return found.error();
    const auto explained = explain(context, *wanted, *found);
    if (!explained) return explained.error();
    show_explanation(context, *explained);
    if (context.format != Format::table || found->empty()) return Exit::ok;
    for (const v1::Alert& other : *found) {
      if (other.id() != found->front().id())
        fmt::print("\nAlso {}: vigil alerts explain {}\n", printable(place_of(other)), other.id());
    }
    return Exit::ok;
  };
}

}  // namespace vigil::cli
