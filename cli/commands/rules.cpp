// rules: those in force, and rule files on trial: checked and tested by the program vigil-aggregator, which
// needs no aggregator that is up, and replayed by the one that holds the history.
#include "cli/client/aggregator_program.h"
#include "cli/commands/command.h"

#include <algorithm>

namespace vigil::cli {
namespace {

/// `vigil-aggregator rules NAME FILES`: it knows rules, this program does not.
Run hand_over(CLI::App& app, const char* name) {
  auto files = std::make_shared<std::vector<std::string>>();
  app.add_option("FILE", *files, "YAML files")->required()->type_name("");
  return [files, name](Context& context) -> Result<Exit> {
    if (context.format == Format::csv)
      return fail(Errc::invalid_argument, "rules {} has no CSV; for data there is -o json", name);
    std::vector<std::string> arguments{"rules", name, "--output",
                                       context.format == Format::json ? "json" : "text", "--"};
    arguments.insert(arguments.end(), files->begin(), files->end());
    return become_aggregator_program(arguments);
  };
}

Run declare_rules_check(CLI::App& app) {
  app.footer(
      "Reads rule files as Prometheus has them and says what is wrong, with file, line and column. Needs no "
      "aggregator.\nExit code 1 when something is wrong.");
  return hand_over(app, "check");
}

Run declare_rules_test(CLI::App& app) {
  app.footer(
      "Runs unit tests of rules, written as for promtool. Needs no aggregator.\nExit code 1 when one fails.");
  return hand_over(app, "test");
}

}  // namespace

Run declare_rules(CLI::App& app) {
  Run list = declare_rule_list(app);
  return declare_parts(app,
                       {{"check", "Whether rule files are right", declare_rules_check},
                        {"test", "Run unit tests of rules", declare_rules_test},
                        {"replay", "What rules would have said of the history", declare_rules_replay}},
                       std::move(list));
}

}  // namespace vigil::cli
