// One command of `vigil`: its flags and what it does. A new one is a source file and a line in main.cpp's
// table.
#pragma once

#include "cli/client/client.h"
#include "cli/output/listing.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::cli {

/// What scripts can tell apart. Documented in docs/cli.md.
enum class Exit : int {
  ok = 0,
  failed = 1,       // the aggregator answered with an error, or the expression is wrong
  usage = 2,        // the command line is wrong
  unreachable = 3,  // no aggregator answers
  firing = 4,       // `alerts --fail-on` found such an alert
  damaged = 5,      // `db check` found something wrong
  unwell = 6,       // `doctor` found a problem
};

/// Where the aggregator's address came from.
enum class Named : std::uint8_t { on_command_line, elsewhere };

/// What every command gets; made once the command line is parsed.
struct Context {
  std::unique_ptr<Client> client;
  ClientOptions aggregator;  // what `client` was made of
  Named named = Named::elsewhere;
  Format format = Format::table;
  Colours colours = Colours::never;
  std::size_t width = 0;  // columns of the terminal; 0: any number
  std::int64_t now_ms = 0;
};

using Run = std::function<Result<Exit>(Context&)>;

struct Command {
  std::string_view name;
  /// Declares the command's flags on `app` and returns what runs it.
  Run (*declare)(CLI::App& app);
  std::string_view summary;
};

/// A part of a command, such as `add` of `silence`.
struct Part {
  const char* name;
  const char* summary;
  std::function<Run(CLI::App& app)> declare;
};
/// What runs the part that is named on the command line, or `otherwise` where none is; without `otherwise`
/// one must be named.
Run declare_parts(CLI::App& app, const std::vector<Part>& parts, Run otherwise = {});

Run declare_hosts(CLI::App& app);
Run declare_containers(CLI::App& app);
Run declare_top(CLI::App& app);
Run declare_query(CLI::App& app);
Run declare_watch(CLI::App& app);
Run declare_plot(CLI::App& app);
Run declare_series(CLI::App& app);
Run declare_alerts(CLI::App& app);
Run declare_explain(CLI::App& app);  // below alerts
Run declare_ack(CLI::App& app);
Run declare_silence(CLI::App& app);
Run declare_maintenance(CLI::App& app);
Run declare_receivers(CLI::App& app);
Run declare_routes(CLI::App& app);
Run declare_actions(CLI::App& app);
Run declare_rules(CLI::App& app);
Run declare_rule_list(CLI::App& app);     // `rules` by itself
Run declare_rules_replay(CLI::App& app);  // below rules
Run declare_status(CLI::App& app);
Run declare_gaps(CLI::App& app);
/// What `gaps` says beneath its table: what the answer leaves out, and how to ask for it.
std::vector<std::string> gap_notes(const v1::ListGapsRequest& request, const v1::ListGapsResponse& gaps);
Run declare_agent(CLI::App& app);
Run declare_certificate(CLI::App& app);
Run declare_doctor(CLI::App& app);
Run declare_reload(CLI::App& app);
Run declare_forget(CLI::App& app);
Run declare_bench(CLI::App& app);
Run declare_db(CLI::App& app);
Run declare_db_plan(CLI::App& app);  // below db
Run declare_backup(CLI::App& app);
Run declare_restore(CLI::App& app);
Run declare_token(CLI::App& app);
Run declare_user(CLI::App& app);
Run declare_audit(CLI::App& app);
Run declare_whoami(CLI::App& app);
Run declare_login(CLI::App& app);
Run declare_logout(CLI::App& app);
/// The token of the login at this aggregator, renewed when it is time.
std::function<Result<LoginToken>()> login_tokens(const ClientOptions& options,
                                                 std::function<std::int64_t()> now_ms);

/// Of whoever runs this; "" when the system does not know.
std::string user_name();

/// Prints a listing in the chosen format on standard output.
void show(const Context& context, const Listing& listing);

/// `name{labels}` of a series of an answer; `{}` for none.
std::string series_name(const v1::QuerySeries& series);
/// Its labels, `__name__` among them, as the Prometheus API has them.
Object series_labels(const v1::QuerySeries& series);

/// --start, --end, --step as people write them.
struct RangeFlags {
  std::string start = "1h";
  std::string end = "now";
  std::string step;
  void add_to(CLI::App& app);
};
struct Range {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t step_ms = 0;
  std::int64_t lookback_ms = 0;  // as in RangeRequest: a step we chose hides no sample between two points
  std::int64_t asked_ms = 0;     // where it was to begin: start_ms may be up to a step before it
};
/// Without --step, about `points` of them, on round seconds.
Result<Range> resolve(const RangeFlags& flags, std::int64_t now_ms, int points);
/// When the answer begins well after the range, the range that begins where the answer does, to be asked for
/// again, in finer steps unless --step was given. A host that is five minutes old fills the drawing. An
/// answer without points leaves the last step, in which younger data may hide. False: `range` stays as it is.
bool narrow(const v1::QueryResult& answer, const RangeFlags& flags, Range& range, int points);
/// The answer to the range, after as much narrowing as there is to do; `range` becomes what was answered.
Result<v1::QueryResult> ask_narrowing(Client& client, const std::string& expression, const RangeFlags& flags,
                                      int points, Range& range);
/// The answer to just that range.
Result<v1::QueryResult> ask_range(Client& client, const std::string& expression, const Range& range);
/// "2026-11-21 14:00:00 to 15:00:00, 1h, a point every 15s"
std::string range_text(const Range& range);

}  // namespace vigil::cli
