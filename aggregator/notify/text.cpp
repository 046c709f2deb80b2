#include "aggregator/notify/text.h"

#include "common/text/human.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

namespace vigil::notify {
namespace {

constexpr std::size_t kLineBytes = 200;
constexpr std::size_t kListedLabelsBytes = 300;
constexpr std::size_t kLongestSlackLink = 1'500;  // or date, with its text
constexpr std::size_t kLongestSlackEntity = 8;    // "&amp" and what says that it was cut

/// Labels that a message says anyway.
bool is_said_anyway(std::string_view name) {
  return name == "alertname" || name == "instance" || name == "severity";
}

void add_label(std::string& out, const LabelView& label) {
  if (!is_said_anyway(label.name))
    out += fmt::format("{}{}={}", out.empty() ? "" : ", ", label.name, one_line(label.value));
}

/// "device=sda1, mountpoint=/"
std::string label_list(const Labels& labels) {
  std::string out;
  for (const LabelView& label : labels) add_label(out, label);
  return cut(out, kListedLabelsBytes);
}

/// The names of labels that are not the same of all `members`.
std::set<std::string_view> differing_labels(const std::vector<const Notification*>& members) {
  std::set<std::string_view> out;
  const Labels& first = members.front()->labels;
  for (const Notification* member : members) {
    for (const LabelView& label : member->labels) {
      if (first.get(label.name) != label.value) out.insert(label.name);
    }
    for (const LabelView& label : first) {
      if (member->labels.get(label.name) != label.value) out.insert(label.name);
    }
  }
  return out;
}

}  // namespace

std::string_view colour_of(const Notification& note) {
  if (note.kind == Kind::resolved) return "#2e7d32";
  switch (parse_severity(note.severity)) {
    case Severity::critical:
      return "#d32f2f";
    case Severity::warning:
      return "#f9a825";
    case Severity::info:
      break;
  }
  return "#1976d2";
}

bool is_alert(const Notification& note) {
  return note.occasion.empty();
}

std::string status_word(const Notification& note) {
  if (!is_alert(note)) return note.occasion;
  if (note.kind == Kind::resolved) return "Resolved";
  std::string word = note.severity.empty() ? "Info" : note.severity;
  word.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(word.front())));
  return word;
}

std::string_view value_name(const Notification& note) {
  if (!is_alert(note)) return "Time";
  if (note.kind == Kind::firing) return "Value";
  return note.is_of_its_end ? "Value at its end" : "Last value";
}

std::string value_text(const Notification& note) {
  const std::string_view said = note.annotations.get("value");
  return said.empty() ? format_si(note.value) : std::string(said);
}

std::string summary_of(const Notification& note) {
  for (const std::string_view name : {"summary", "description", "message"}) {
    if (const std::string_view said = note.annotations.get(name); !said.empty()) return std::string(said);
  }
  const std::string labels = is_alert(note) ? label_list(note.labels) : "";
  return labels.empty() ? note.alert : fmt::format("{}, {}", note.alert, labels);
}

std::string headline_of(const Notification& note, std::string_view apart) {
  std::string summary = apart.empty() ? summary_of(note) : fmt::format("{} ({})", summary_of(note), apart);
  if (note.kind == Kind::firing || !is_alert(note)) return summary;
  return fmt::format("Over after {}. {}: {}", duration_text(note, note.resolved_at_ms),
                     note.is_of_its_end ? "At its end" : "It was", summary);
}

std::vector<std::string> labels_apart(const std::vector<Notification>& alerts) {
  std::map<std::string, std::vector<const Notification*>> alike;  // by what is said of them
  for (const Notification& note : alerts) {
    if (is_alert(note)) alike[title_of(note) + '\n' + summary_of(note)].push_back(&note);
  }
  std::vector<std::string> out(alerts.size());
  for (const auto& [said, members] : alike) {
    if (members.size() == 1) continue;
    const std::set<std::string_view> differing = differing_labels(members);
    for (const Notification* member : members) {
      std::string labels;
      for (const LabelView& label : member->labels) {
        if (differing.contains(label.name)) add_label(labels, label);
      }
      out[static_cast<std::size_t>(member - alerts.data())] = cut(labels, kListedLabelsBytes);
    }
  }
  return out;
}

std::string count_of(const Group& group) {
  const auto all = static_cast<std::size_t>(group.alerts.size());
  const auto over =
      static_cast<std::size_t>(std::ranges::count(group.alerts, Kind::resolved, &Notification::kind));
  const bool fires = over < all || group.left_out > 0;
  const std::size_t counted = (fires ? all - over : all) + group.left_out;
  std::string text = fmt::format("{} alert{}", counted, counted == 1 ? "" : "s");
  if (fires && over > 0) text += fmt::format(" and {} over", over);
  return text;
}

std::string_view description_of(const Notification& note) {
  const bool is_said = note.annotations.get("summary").empty();  // in its place
  return note.kind == Kind::firing && !is_said ? note.annotations.get("description") : std::string_view();
}

std::string place_of(const Notification& note) {
  return note.instance.empty() ? "the fleet" : note.instance;
}

std::vector<Evidence> evidence_of(const Notification& note, std::size_t most_rows) {
  std::vector<Evidence> out;
  if (note.kind == Kind::resolved) return out;
  for (const Evidence& table : note.evidence) {
    if (table.title == kActionsTitle) continue;
    Evidence& shown = out.emplace_back(table);
    if (most_rows > 0 && shown.rows.size() > most_rows) shown.rows.resize(most_rows);
  }
  return out;
}

std::string title_of(const Notification& note) {
  if (!note.title.empty()) return note.title;
  return note.alert + " on " + place_of(note);
}

std::string_view runbook_of(const Notification& note) {
  const std::string_view url = note.annotations.get("runbook_url");
  return is_web_link(url) ? url : std::string_view();
}

std::string duration_text(const Notification& note, std::int64_t until_ms) {
  const std::int64_t end = note.resolved_at_ms != 0 ? note.resolved_at_ms : until_ms;
  return format_age(std::chrono::milliseconds(std::max<std::int64_t>(end - note.active_since_ms, 0)));
}

std::string utc_text(std::int64_t t_ms) {
  std::string text = format_rfc3339(t_ms / 1000 * 1000);  // 2026-11-21T14:00:05Z
  text.replace(text.find('T'), 1, " ");
  text.replace(text.find('Z'), 1, " UTC");
  return text;
}

std::string first_line(std::string_view text) {
  const std::size_t begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  return printable(cut(text.substr(0, text.find_first_of("\r\n")), kLineBytes));
}

std::string cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  constexpr std::string_view kEllipsis = "…";
  std::size_t end = bytes > kEllipsis.size() ? bytes - kEllipsis.size() : 0;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + std::string(kEllipsis);
}

std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return out;
}

std::string cut_slack(std::string_view markup, std::size_t bytes) {
  std::string out = cut(markup, bytes);
  if (markup.size() <= bytes) return out;
  struct Unit {
    char open;
    char close;
    std::size_t longest;  // what is longer is none
  };
  for (const Unit& unit : {Unit{'<', '>', kLongestSlackLink}, Unit{'&', ';', kLongestSlackEntity}}) {
    const std::size_t begun = out.rfind(unit.open);
    if (begun == std::string::npos || out.find(unit.close, begun) != std::string::npos) continue;
    if (out.size() - begun <= unit.longest) out = out.substr(0, begun) + "…";
  }
  return out;
}

namespace {

// ---- values in Slack's mrkdwn. A zero-width character beside `*` would not do: clients take it for a border
// of words, and then what stands between is bold.

constexpr std::string_view kJoiner = "\xE2\x81\xA0";  // no width, and in no emoji's name

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}
bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_in_emoji_name(char c) {
  return is_letter_or_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
         std::string_view("_-+'").find(c) != std::string_view::npos;
}
bool is_blank(char c) {
  return c == ' ' || is_control(c);
}

/// How long the end of a line is that `text` begins with and that is no control character: U+0085, U+2028 and
/// U+2029; 0: none.
std::size_t line_end_length(std::string_view text) {
  if (text.starts_with("\xC2\x85")) return 2;
  return text.starts_with("\xE2\x80\xA8") || text.starts_with("\xE2\x80\xA9") ? 3 : 0;
}

/// Underscores within a word, as in names, are no markup.
bool is_within_word(std::string_view text, std::size_t at) {
  const std::size_t before = text.find_last_not_of('_', at);
  const std::size_t after = text.find_first_not_of('_', at);
  return before != std::string_view::npos && after != std::string_view::npos &&
         is_letter_or_digit(text[before]) && is_letter_or_digit(text[after]);
}

/// As in `a * b`: nothing can begin or end there.
bool stands_alone(std::string_view text, std::size_t at) {
  return at > 0 && at + 1 < text.size() && is_blank(text[at - 1]) && is_blank(text[at + 1]);
}

bool is_markup(std::string_view text, std::size_t at) {
  switch (text[at]) {
    case '`':
      return true;
    case '_':
      return !is_within_word(text, at);
    case '*':
    case '~':
      return !stands_alone(text, at);
    default:
      return false;
  }
}

/// Whether the colon at `at` begins an emoji, or would with a colon behind the text. `host:9100` does not.
bool begins_emoji(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && is_in_emoji_name(text[end])) ++end;
  if (end == at + 1) return false;
  if (end < text.size()) return text[end] == ':';
  return text.find_first_not_of("0123456789", at + 1) != std::string_view::npos;
}

bool begins_quote(std::string_view text, std::size_t at) {
  return text[at] == '>' && text.find_first_not_of(" \t\r\n") == at;
}

std::string_view look_alike(char c) {
  switch (c) {
    case '*':
      return "\xE2\x88\x97";  // U+2217
    case '_':
      return "\xCB\x8D";  // U+02CD
    case '~':
      return "\xE2\x88\xBC";  // U+223C
    default:
      return "'";
  }
}

bool is_web_address(std::string_view text) {
  if (!text.starts_with("https://") && !text.starts_with("http://")) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_blank(text[i]) || line_end_length(text.substr(i)) > 0) return false;
  }
  return true;
}

std::string inert_address(std::string_view address) {
  std::string out;
  for (std::size_t i = 0; i < address.size(); ++i) {
    const char c = address[i];
    if (c == '|' || is_markup(address, i) || (c == ':' && begins_emoji(address, i))) {
      out += fmt::format("%{:02X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return slack_entities(out);
}

}  // namespace

std::string slack_entities(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += is_control(c) ? ' ' : c;
    }
  }
  return out;
}

std::string slack_escape(std::string_view text) {
  if (is_web_address(text)) return inert_address(text);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (const std::size_t length = line_end_length(text.substr(i))) {
      out += ' ';
      i += length - 1;
    } else if (is_markup(text, i)) {
      out += look_alike(text[i]);
    } else {
      if (begins_quote(text, i)) out += kJoiner;
      out += slack_entities(text.substr(i, 1));
      if (text[i] == ':' && begins_emoji(text, i)) out += kJoiner;
    }
  }
  return out;
}

std::string slack_lines(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (text.find('\n') == std::string_view::npos) return slack_escape(text);
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    out += fmt::format("{}>{}", out.empty() ? "" : "\n", slack_escape(line));
  }
  return out;
}

}  // namespace vigil::notify
