// receivers: who is told of alerts; list, test, and what was given up: list, send again, drop.
#include "cli/commands/command.h"
#include "cli/commands/figures.h"
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

// ---- what was given up

/// "HighCpu on web-1, HighCpu on web-2 and 3 more"
std::string about_text(const v1::DeadMessage& message) {
  constexpr int kMostNames = 3;
  std::string text;
  const int shown = std::min(message.about_size(), kMostNames);
  for (int i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + message.about(i);
  const auto left =
      message.alerts() - std::min<std::uint64_t>(message.alerts(), static_cast<unsigned>(shown));
  return left == 0 ? text : fmt::format("{} and {} more", text, left);
}

Style style_of_status(const std::string& status) {
  if (status == "unreadable") return Style::warning;
  return status == "firing" ? Style::bad : Style::good;
}

Run declare_dead(CLI::App& app) {
  app.footer(
      "What a receiver did not take within notifications.give_up_after, the newest first; kept for 90 days.");
  return [](Context& context) -> Result<Exit> {
    const auto dead = context.client->dead_messages();
    if (!dead) return dead.error();
    Listing listing;
    listing.empty_note = "No message was given up.";
    listing.columns = {{"id", "ID", Align::right},
                       {"channel", "CHANNEL"},
                       {"status", "SAYS", Align::left, Fit::important},
                       {"about", "ABOUT", Align::left, Fit::cut, Programs::json_and_csv, 20},
                       {"created_ms", "FROM", Align::left, Fit::useful},
                       {"given_up_ms", "GIVEN UP"},
                       {"attempts", "TRIES", Align::right, Fit::important},
                       {"last_error", "ERROR", Align::left, Fit::cut, Programs::json_and_csv, 24},
                       {"alerts", ""}};
    for (const v1::DeadMessage& each : dead->messages()) {
      Cell names = Cell::list({each.about().begin(), each.about().end()});
      names.text = about_text(each);
      listing.rows.push_back({Cell::number(each.id()), Cell::of(each.channel(), Style::bold),
                              Cell::of(each.status(), style_of_status(each.status())), std::move(names),
                              when_cell(each.created_ms()), when_cell(each.given_up_ms()),
                              Cell::number(static_cast<std::int64_t>(each.attempts())),
                              Cell::of(each.last_error()),
                              Cell::number(static_cast<std::int64_t>(each.alerts()))});
    }
    show(context, listing);
    if (dead->left_out() > 0)
      fmt::print(context.format == Format::table ? stdout : stderr, "and {} older ones\n", dead->left_out());
    return Exit::ok;
  };
}

/// Which messages: ids, or all of them.
template <class Request>
void declare_choice(CLI::App& app, const std::shared_ptr<Request>& request) {
  auto* ids = app.add_option_function<std::vector<std::int64_t>>(
      "ID",
      [request](const std::vector<std::int64_t>& given) {
        request->mutable_ids()->Add(given.begin(), given.end());
      },
      "As in `vigil receivers dead`");
  ids->type_name("");
  auto* all = app.add_flag_function(
      "--all", [request](std::int64_t) { request->set_all(true); }, "All of them");
  all->excludes(ids);
  app.add_option_function<std::string>(
         "--receiver", [request](const std::string& name) { request->set_receiver(name); },
         "With --all: those to this receiver, or to one of its channels: ops/slack[0]")
      ->needs(all)
      ->type_name("NAME");
}

Error nothing_chosen() {
  return fail(Errc::invalid_argument, "say which: ids as in `vigil receivers dead`, or --all");
}

/// For people a sentence, for programs one object.
void show_counts(const Context& context, const std::string& sentence,
                 const std::vector<std::pair<const char*, std::uint64_t>>& counts) {
  if (context.format == Format::table) {
    fmt::print("{}\n", sentence);
    return;
  }
  Listing listing;
  listing.shape = Shape::pairs;
  listing.columns = {{"name", "NAME"}, {"value", "VALUE"}};
  for (const auto& [name, count] : counts)
    listing.rows.push_back({Cell::of(name), Cell::number(static_cast<std::int64_t>(count))});
  show(context, listing);
}

std::string sentence_of(const v1::ResendMessagesResponse& resent) {
  std::string text = fmt::format("{} sent again", resent.sent());
  if (resent.outdated() > 0) text += fmt::format(", {} outdated", resent.outdated());
  if (resent.unknown() > 0) text += fmt::format(", {} to receivers that are gone", resent.unknown());
  if (resent.unreadable() > 0) text += fmt::format(", {} unreadable", resent.unreadable());
  return text;
}

Run declare_resend(CLI::App& app) {
  auto request = std::make_shared<v1::ResendMessagesRequest>();
  declare_choice(app, request);
  app.footer(
      "Tries them as if they had come now. What is not so any more, such as that something fires which is\n"
      "over, is not sent: with --all it is counted and stays, by its ID it is an error.");
  return [request](Context& context) -> Result<Exit> {
    if (!request->all() && request->ids().empty()) return nothing_chosen();
    const auto resent = context.client->resend_messages(*request);
    if (!resent) return resent.error();
    show_counts(context, sentence_of(*resent),
                {{"sent", resent->sent()},
                 {"outdated", resent->outdated()},
                 {"unknown_receiver", resent->unknown()},
                 {"unreadable", resent->unreadable()}});
    return Exit::ok;
  };
}

Run declare_drop(CLI::App& app) {
  auto request = std::make_shared<v1::DropMessagesRequest>();
  declare_choice(app, request);
  app.footer("Forgets them: nobody is told.");
  return [request](Context& context) -> Result<Exit> {
    if (!request->all() && request->ids().empty()) return nothing_chosen();
    const auto dropped = context.client->drop_messages(*request);
    if (!dropped) return dropped.error();
    show_counts(context, fmt::format("{} forgotten", dropped->dropped()), {{"dropped", dropped->dropped()}});
    return Exit::ok;
  };
}

}  // namespace

Run declare_receivers(CLI::App& app) {
  return declare_parts(
      app,
      {{"test", "Send a test message through every channel of a receiver", declare_receiver_test},
       {"dead", "Messages that were given up", declare_dead},
       {"resend", "Send messages again that were given up", declare_resend},
       {"drop", "Forget messages that were given up", declare_drop}},
      list_receivers);
}

}  // namespace vigil::cli
