// receivers: who is told of alerts; list, test.
#include "cli/commands/command.h"
#include "common/text/human.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

namespace vigil::cli {
namespace {

Style state_style(const std::string& state) {
  if (state == "ok") return Style::good;
  return state == "failing" ? Style::bad : Style::warning;
}

Cell messages_cell(std::uint64_t count, Style where_any = Style::plain) {
  return Cell::number(static_cast<std::int64_t>(count), count == 0 ? Style::faint : where_any);
}

Result<Exit> list_receivers(Context& context) {
  const auto receivers = context.client->receivers();
  if (!receivers) return receivers.error();
  Listing listing;
  listing.empty_note = "Nobody is told of alerts: see notifications in the configuration.";
  listing.columns = {{"state", "STATE"},
                     {"receiver", "RECEIVER"},
                     {"channel", "CHANNEL"},
                     {"kind", "KIND", Align::left, Fit::optional},
                     {"waiting", "WAITING", Align::right},
                     {"delivered", "DELIVERED", Align::right, Fit::useful},
                     {"failures", "FAILURES", Align::right, Fit::important},
                     {"given_up", "GIVEN UP", Align::right, Fit::important},
                     {"last_error", "ERROR", Align::left, Fit::cut, Programs::json_and_csv, 24}};
  for (const v1::ReceiverChannel& each : receivers->channels()) {
    listing.rows.push_back({Cell::of(each.state(), state_style(each.state())),
                            Cell::of(each.receiver(), Style::bold), Cell::of(each.channel()),
                            Cell::of(each.kind()), messages_cell(each.waiting(), Style::warning),
                            messages_cell(each.delivered()), messages_cell(each.failures()),
                            messages_cell(each.given_up(), Style::bad), Cell::of(each.last_error())});
  }
  show(context, listing);
  return Exit::ok;
}

Run declare_receiver_test(CLI::App& app) {
  auto request = std::make_shared<v1::TestReceiverRequest>();
  app.add_option_function<std::string>(
         "NAME", [request](const std::string& name) { request->set_name(name); },
         "A receiver, or one of its channels: ops/slack[0]")
      ->required()
      ->type_name("");
  app.footer("Examples:\n  vigil receivers test ops\n  vigil receivers test 'ops/slack[0]'");
  return [request](Context& context) -> Result<Exit> {
    const auto answers = context.client->test_receiver(*request);
    if (!answers) return answers.error();
    Listing listing;
    listing.columns = {{"ok", "TOOK IT"},
                       {"channel", "CHANNEL"},
                       {"kind", "KIND", Align::left, Fit::optional},
                       {"took_ms", "WITHIN", Align::right},
                       {"error", "ERROR", Align::left, Fit::cut, Programs::json_and_csv, 24}};
    for (const v1::ChannelAnswer& each : answers->channels()) {
      const bool took_it = each.error().empty();
      Cell ok = Cell::flag(took_it);
      ok.text = took_it ? "yes" : "no";
      ok.style = took_it ? Style::good : Style::bad;
      listing.rows.push_back(
          {std::move(ok), Cell::of(each.channel(), Style::bold), Cell::of(each.kind()),
           Cell{each.took_ms(), format_age(std::chrono::milliseconds(each.took_ms())), Style::plain},
           Cell::of(each.error())});
    }
    show(context, listing);
    const bool all_fine = std::all_of(answers->channels().begin(), answers->channels().end(),
                                      [](const v1::ChannelAnswer& each) { return each.error().empty(); });
    return all_fine ? Exit::ok : Exit::failed;
  };
}

}  // namespace

Run declare_receivers(CLI::App& app) {
  return declare_parts(
      app, {{"test", "Send a test message through every channel of a receiver", declare_receiver_test}},
      list_receivers);
}

}  // namespace vigil::cli
