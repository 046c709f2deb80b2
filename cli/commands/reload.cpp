// reload: has the aggregator read its configuration and rules again, and says what came of it.
#include "cli/commands/command.h"

#include <string>

namespace vigil::cli {
namespace {

void add_rows(Listing& listing, const Cell& outcome, const auto& texts) {
  for (const std::string& text : texts) listing.rows.push_back({outcome, Cell::of(text)});
}

Result<Exit> reload(Context& context) {
  const auto done = context.client->reload();
  if (!done) return done.error();
  Listing listing;
  listing.empty_note = "In force; no key, rule, file of routes or secret is other than before.";
  listing.columns = {{"outcome", "OUTCOME"},
                     {"what", "WHAT", Align::left, Fit::cut, Programs::json_and_csv, 40}};
  add_rows(listing, Cell::of("refused", Style::bad), done->errors());
  add_rows(listing, Cell::of("changed", Style::good), done->changed());
  add_rows(listing, Cell::of("needs a restart", Style::warning), done->needs_restart());
  add_rows(listing, Cell::of("warning", Style::warning), done->warnings());
  show(context, listing);
  if (done->errors().empty()) return Exit::ok;
  fmt::print(stderr, "vigil: not reloaded, all stays as it was\n");
  return Exit::failed;
}

}  // namespace

Run declare_reload(CLI::App& app) {
  app.footer(
      "SIGHUP does the same. `vigil-aggregator --check --config FILE` looks before.\n"
      "Examples:\n  vigil reload\n  vigil reload -o json");
  return [](Context& context) { return reload(context); };
}

}  // namespace vigil::cli
