// maintenance: a silence with a purpose; list, add, end.
#include "cli/commands/command.h"
#include "cli/commands/silence_options.h"
#include "common/text/human.h"

namespace vigil::cli {
namespace {

using ListRequest = std::shared_ptr<v1::ListSilencesRequest>;

Run declare_maintenance_list(CLI::App& app, const ListRequest& request) {
  app.add_flag_function(
      "--expired", [request](std::int64_t) { request->set_expired(true); },
      "Also those that ended within the last 5 days");
  return [request](Context& context) -> Result<Exit> {
    const auto silences = context.client->silences(*request);
    if (!silences) return silences.error();
    show(context, maintenances_listing({silences->silences().begin(), silences->silences().end()}));
    return Exit::ok;
  };
}

struct MaintenanceOptions {
  SilenceOptions silence;
  std::string title;
  std::string impact;
  std::vector<std::string> receivers;
  std::vector<std::string> notices;
  std::vector<std::string> before;
  std::vector<std::string> after;
  std::vector<std::string> run_before;
  std::vector<std::string> run_after;
};

Result<void> put_plan(const MaintenanceOptions& wanted, v1::Maintenance& out) {
  out.set_title(wanted.title);
  out.set_impact(wanted.impact);
  for (const std::string& name : wanted.receivers) out.add_receivers(name);
  for (const std::string& text : wanted.notices) {
    const auto notice = parse_duration(text);
    if (!notice)
      return fail(Errc::invalid_argument, "--notice: '{}' is not a duration; write for example 24h", text);
    out.add_notices_ms(notice->count());
  }
  for (const std::string& expr : wanted.before) out.add_before()->set_expr(expr);
  for (const std::string& expr : wanted.after) out.add_after()->set_expr(expr);
  for (const std::string& name : wanted.run_before) out.add_run_before(name);
  for (const std::string& name : wanted.run_after) out.add_run_after(name);
  return {};
}

Run declare_maintenance_add(CLI::App& app) {
  const auto wanted = std::make_shared<MaintenanceOptions>();
  declare_silence_options(app, wanted->silence);
  app.add_option("--title", wanted->title, "What is done: 'Database upgrade'")->required()->type_name("TEXT");
  app.add_option("--impact", wanted->impact, "What people notice of it")->type_name("TEXT");
  app.add_option("--tell", wanted->receivers, "A receiver that is told of it; may be there several times")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--notice", wanted->notices,
                 "So long before its begin, too: 24h; may be there several times")
      ->type_name("TIME")
      ->allow_extra_args(false);
  app.add_option("--check-before", wanted->before,
                 "PromQL with a sample that is not 0 when all is well, asked at its begin")
      ->type_name("EXPR")
      ->allow_extra_args(false);
  app.add_option("--check-after", wanted->after, "The same at its end")
      ->type_name("EXPR")
      ->allow_extra_args(false);
  app.add_option(
         "--run-before", wanted->run_before,
         "Action that runs at its begin, a backup or a check; people are told how it ended. For a host: "
         "NAME@HOST")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--run-after", wanted->run_after, "The same at its end")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.footer(
      "Example:\n  vigil maintenance add instance=~'db-.+' --title 'Database upgrade' \\\n"
      "    --start 'tomorrow 22:00' --for 2h --impact 'no logins' --tell ops \\\n"
      "    --notice 24h --notice 1h --check-after 'up{job=\"node\"} == 1' \\\n    --comment 'CHG-4711'\n"
      "Prints its id. While it lasts, alerts that match fire without a message; at its end one message says "
      "what fired, still or not.");
  return [wanted](Context& context) -> Result<Exit> {
    v1::PutSilenceRequest request;
    v1::Silence& silence = *request.mutable_silence();
    if (auto put = put_silence_options(wanted->silence, context.now_ms, silence); !put) return put.error();
    if (auto put = put_plan(*wanted, *silence.mutable_maintenance()); !put) return put.error();
    return set_silence(context, request);
  };
}

}  // namespace

Run declare_maintenance(CLI::App& app) {
  const auto request = std::make_shared<v1::ListSilencesRequest>();  // of both ways to list
  Run list = declare_maintenance_list(app, request);
  return declare_parts(
      app,
      {{"list", "Those that last or will come",
        [request](CLI::App& sub) { return declare_maintenance_list(sub, request); }},
       {"add", "Plan one", declare_maintenance_add},
       {"end", "End or cancel them",
        [](CLI::App& sub) {
          return declare_end(
              sub, SilenceKind::maintenance,
              "Ends them now, or cancels those that have not begun: who was told of them is told. One that "
              "comes again (--repeat) comes no more.");
        }}},
      std::move(list));
}

}  // namespace vigil::cli
