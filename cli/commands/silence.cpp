// silence: alerts that fire without a message for a time; list, add, expire.
#include "cli/commands/command.h"
#include "cli/commands/silence_options.h"

namespace vigil::cli {
namespace {

// ---- list

using ListRequest = std::shared_ptr<v1::ListSilencesRequest>;

Run declare_list(CLI::App& app, const ListRequest& request) {
  app.add_flag_function(
      "--expired", [request](std::int64_t) { request->set_expired(true); },
      "Also those that ended within the last 5 days");
  return [request](Context& context) -> Result<Exit> {
    const auto silences = context.client->silences(*request);
    if (!silences) return silences.error();
    show(context, silences_listing({silences->silences().begin(), silences->silences().end()}));
    return Exit::ok;
  };
}

// ---- add

Run declare_add(CLI::App& app) {
  const auto wanted = std::make_shared<SilenceOptions>();
  declare_silence_options(app, *wanted);
  app.footer(
      "Examples:\n  vigil silence add HostDown instance=web-1 --for 2h --comment 'new disks'\n"
      "  vigil silence add instance=~'db-.+' --repeat 'FREQ=WEEKLY;BYDAY=SU' \\\n"
      "    --start 02:00 --for 3h --comment backup\nPrints its id. What was told to fire is told its end all "
      "the same.");
  return [wanted](Context& context) -> Result<Exit> {
    v1::PutSilenceRequest request;
    v1::Silence& silence = *request.mutable_silence();
    if (auto put = put_silence_options(*wanted, context.now_ms, silence); !put) return put.error();
    return set_silence(context, request);
  };
}

}  // namespace

Run declare_silence(CLI::App& app) {
  const auto request = std::make_shared<v1::ListSilencesRequest>();  // of both ways to list
  Run list = declare_list(app, request);
  return declare_parts(app,
                       {{"list", "Those that are active or will be",
                         [request](CLI::App& sub) { return declare_list(sub, request); }},
                        {"add", "Set one", declare_add},
                        {"expire", "End them",
                         [](CLI::App& sub) {
                           return declare_end(sub, SilenceKind::silence,
                                              "Ends silences now: what still fires is told. One that "
                                              "comes again (--repeat) comes no more.");
                         }}},
                       std::move(list));
}

}  // namespace vigil::cli
