#include "aggregator/notify/message.h"
#include "aggregator/notify/text.h"

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::notify {
namespace {

namespace json = boost::json;

constexpr std::size_t kTextBytes = 2'900;  // a section's text may have 3,000 characters
constexpr std::size_t kFieldBytes = 1'900;
constexpr std::size_t kRowsInMessage = 20;
constexpr std::size_t kLabelsBytes = 1'500;  // links follow them
constexpr std::size_t kLinkBytes = 1'000;
constexpr std::size_t kMostWithEvidence = 3;  // of a list: a longer one is to be seen at a glance
constexpr std::size_t kRowsBesideOthers = 3;

std::string_view emoji_of(const Notification& note) {
  if (note.kind == Kind::resolved) return ":large_green_circle:";
  switch (parse_severity(note.severity)) {
    case Severity::critical:
      return ":red_circle:";
    case Severity::warning:
      return ":large_yellow_circle:";
    case Severity::info:
      break;
  }
  return ":large_blue_circle:";
}

/// Escaped, and so many bytes of it at most: what follows, a date or a link, is there whatever the text is.
std::string escaped(std::string_view text, std::size_t limit) {
  return cut_slack(slack_escape(text), limit);
}

/// Within it nothing else is markup. Backticks would end the code span, and so would the end of a line.
std::string code(std::string_view text, std::size_t limit = kTextBytes) {
  std::string inner = cut_slack(slack_entities(text), limit);
  std::replace(inner.begin(), inner.end(), '`', '\'');
  return '`' + inner + '`';
}

json::object markdown(const std::string& text, std::size_t limit) {
  return {{"type", "mrkdwn"}, {"text", cut_slack(text, limit)}};
}
json::object section(const std::string& text) {
  return {{"type", "section"}, {"text", markdown(text, kTextBytes)}};
}

/// Slack shows it in the reader's own zone.
std::string date(std::int64_t t_ms) {
  return fmt::format("<!date^{}^{{date_short_pretty}} {{time_secs}}|{}>", t_ms / 1000, utc_text(t_ms));
}

json::array fields_of(const Notification& note) {
  json::array fields;
  const auto add = [&fields](std::string_view name, const std::string& value) {
    fields.push_back(markdown(fmt::format("*{}*\n{}", name, value), kFieldBytes));
  };
  if (is_alert(note) || !note.instance.empty()) add("Host", code(place_of(note)));
  add(value_name(note), slack_escape(value_text(note)));
  if (!is_alert(note)) return fields;
  add("Since", date(note.active_since_ms));
  if (note.kind == Kind::resolved) add("Lasted", duration_text(note, note.resolved_at_ms));
  return fields;
}

std::string evidence_text(const Evidence& table) {
  std::string text = fmt::format("*{}*", slack_escape(table.title));
  for (const EvidenceRow& row : table.rows)
    text += fmt::format("\n{}  {}", code(row.name), slack_escape(row.value));
  return text;
}

/// Beside others: the first rows of each table, each on a line.
std::string short_evidence(const Notification& note) {
  std::string text;
  for (const Evidence& table : evidence_of(note, kRowsBesideOthers)) {
    text += fmt::format("\n_{}_", escaped(table.title, 200));
    for (const EvidenceRow& row : table.rows)
      text += fmt::format("\n{}  {}", code(row.name, 200), escaped(row.value, 200));
  }
  return text;
}

std::string labels_text(const Notification& note) {
  std::string text;
  for (const LabelView& label : note.labels) {
    if (label.name == "alertname" || label.name == "instance" || label.name == "severity") continue;
    const std::string one = fmt::format("{}={}", escaped(label.name, 200), code(label.value, 500));
    if (text.size() + one.size() > kLabelsBytes) return text + "  …";
    text += (text.empty() ? "" : "  ") + one;
  }
  return text;
}

/// Of an alert with a summary one line, whatever its labels are; a description, and what is told of a
/// maintenance, has several.
std::string headline(const Notification& note, std::string_view apart = {}) {
  const std::string text = headline_of(note, apart);
  return is_alert(note) && !note.annotations.get("summary").empty() ? slack_escape(text) : slack_lines(text);
}

json::array blocks_of(const Notification& note) {
  json::array blocks;
  std::string words = headline(note);
  if (const auto description = description_of(note); !description.empty()) {
    words += '\n' + slack_lines(description);
  }
  if (!note.reason.empty()) words += fmt::format("\n_Resolved because {}._", slack_escape(note.reason));
  blocks.push_back(section(words));
  blocks.push_back({{"type", "section"}, {"fields", fields_of(note)}});
  if (note.kind == Kind::firing) {
    for (const Evidence& table : note.evidence) blocks.push_back(section(evidence_text(table)));
  }
  std::string foot = labels_text(note);
  const auto link = [&foot](std::string_view url, std::string_view label) {
    if (!url.empty() && url.size() < kLinkBytes)
      foot += fmt::format("{}<{}|{}>", foot.empty() ? "" : "  ", slack_escape(url), label);
  };
  link(runbook_of(note), "Runbook");
  link(note.link, "Open in vigil");
  if (!foot.empty()) {
    blocks.push_back({{"type", "context"}, {"elements", json::array{markdown(foot, kTextBytes)}}});
  }
  return blocks;
}

json::array digest_blocks(const std::vector<Row>& rows) {
  std::string text;
  for (std::size_t i = 0; i < rows.size() && i < kRowsInMessage; ++i) {
    const Notification& note = rows[i].note;
    text += fmt::format("{}{}  {}", i == 0 ? "" : "\n", code(place_of(note)), escaped(value_text(note), 100));
  }
  if (rows.size() > kRowsInMessage) text += fmt::format("\nand {} more", rows.size() - kRowsInMessage);
  return {section(text)};
}

/// One of several: what, where, how much, since when. `apart` as labels_apart() has it.
std::string list_item(const Notification& note, std::string_view apart) {
  std::string text =
      fmt::format("{} *{}* on {}", emoji_of(note), escaped(note.alert, 200), code(place_of(note), 300));
  if (!is_alert(note))
    text = fmt::format("{} *{}: {}*", emoji_of(note), escaped(note.occasion, 100), escaped(note.title, 300));
  if (!note.link.empty()) text += fmt::format("  <{}|Open>", slack_escape(note.link));
  text += '\n' + cut_slack(headline(note, apart), 700);
  if (!is_alert(note)) return text;
  const std::string value = escaped(value_text(note), 100);
  text += note.kind == Kind::firing ? fmt::format("\n{}, since {}", value, date(note.active_since_ms))
                                    : fmt::format("\n{} {}", value_name(note), value);
  if (!note.reason.empty()) text += fmt::format(", over because {}", escaped(note.reason, 200));
  return text;
}

/// "HighCpu: 3 alerts", "HighCpu: 1 alert and 2 over", or without the name when they have several.
std::string list_title(const Group& group) {
  const std::vector<Notification>& alerts = group.alerts;
  const bool same =
      !alerts.empty() && std::all_of(alerts.begin(), alerts.end(), [&alerts](const Notification& note) {
        return note.alert == alerts.front().alert;
      });
  const std::string count = count_of(group);
  return same ? fmt::format("{}: {}", slack_escape(alerts.front().alert), count) : count;
}

/// The headline says it all where attachments are not shown.
json::object message(const Notification& first, const std::string& headline, json::array blocks) {
  return {
      {"text", fmt::format("{} *{}*", emoji_of(first), headline)},
      {"attachments", json::array{json::object{{"color", colour_of(first)}, {"blocks", std::move(blocks)}}}}};
}

/// "Critical: HighCpu on web-1"; `what` is escaped.
std::string with_status(const Notification& note, const std::string& what) {
  return fmt::format("{}: {}", slack_escape(status_word(note)), cut_slack(what, 500));
}

/// The first of them, and how many there are besides; `foot` follows that.
json::array list_blocks(const std::vector<Notification>& alerts, std::size_t left_out,
                        const std::string& foot) {
  json::array blocks;
  const bool is_short = alerts.size() + left_out <= kMostWithEvidence;
  const std::vector<std::string> apart = labels_apart(alerts);
  for (std::size_t i = 0; i < alerts.size() && i < kRowsInMessage; ++i)
    blocks.push_back(section(list_item(alerts[i], apart[i]) + (is_short ? short_evidence(alerts[i]) : "")));
  const std::size_t count = alerts.size() + left_out;
  std::string below = count > kRowsInMessage ? fmt::format("and {} more", count - kRowsInMessage) : "";
  if (!foot.empty()) below += (below.empty() ? "" : "  ") + foot;
  if (!below.empty())
    blocks.push_back({{"type", "context"}, {"elements", json::array{markdown(below, kTextBytes)}}});
  return blocks;
}

/// "2 more fire, 1 resolved"; of a single one its title.
std::string change_title(const SlackChange& change) {
  const std::size_t over = change.alerts.size() - change.begun;
  if (change.alerts.size() == 1) {
    const Notification& note = change.alerts.front();
    return with_status(note, slack_escape(title_of(note)));
  }
  if (change.is_over) return fmt::format("Resolved: {} alerts", over);
  std::string text;
  if (change.begun > 0) text = fmt::format("{} more fire{}", change.begun, change.begun == 1 ? "s" : "");
  if (over > 0) text += fmt::format("{}{} resolved", text.empty() ? "" : ", ", over);
  return text;
}

}  // namespace

boost::json::object slack_message(const Notification& note) {
  return message(note, with_status(note, slack_escape(title_of(note))), blocks_of(note));
}

boost::json::object slack_list(const Group& group, const Notification& worst, std::string_view link) {
  const std::string foot = link.empty() ? "" : fmt::format("<{}|Open in vigil>", slack_escape(link));
  return message(worst, with_status(worst, list_title(group)),
                 list_blocks(group.alerts, group.left_out, foot));
}

boost::json::object slack_change(const SlackChange& change) {
  return message(change.alerts.front(), change_title(change), list_blocks(change.alerts, 0, ""));
}

boost::json::object slack_body(const Shipment& shipment) {
  const Notification& first = shipment.rows.front().note;
  const std::size_t count = shipment.rows.size();
  if (count == 1) return slack_message(first);
  const std::string what = fmt::format("{}: {} alerts", slack_escape(first.alert), count);
  return message(first, with_status(first, what), digest_blocks(shipment.rows));
}

std::string render_slack(const Shipment& shipment, const SlackConfig& config) {
  json::object body = slack_body(shipment);
  if (!config.channel.empty()) body["channel"] = config.channel;
  return json::serialize(body);
}

}  // namespace vigil::notify
