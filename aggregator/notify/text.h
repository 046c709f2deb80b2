// Words the messages share, and making outside text safe for where it goes. Internal to notify.
#pragma once

#include "aggregator/notify/notification.h"
#include "common/text/html.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

/// "#d32f2f" for critical, amber for warning, blue for info, green for resolved.
std::string_view colour_of(const Notification& note);
/// "Critical", "Warning", "Info", or the label itself, capitalised; "Resolved"; "Maintenance begins".
std::string status_word(const Notification& note);
/// Whether it tells of an alert: of a maintenance nothing is a value, and nothing lasts.
bool is_alert(const Notification& note);
/// What the value is called: "Value", or once it is over "Last value", "Value at its end" where it was false
/// by then; "Time" of what is no alert.
std::string_view value_name(const Notification& note);
/// The annotation `value`, or the number as format_si() writes it.
std::string value_text(const Notification& note);
/// The annotation `summary`, else `description`, else `message`, else the alert's name and its labels but
/// those a message says anyway: "DiskFull, device=sda1, mountpoint=/".
std::string summary_of(const Notification& note);
/// The first sentence of a message: the summary; once an alert is over, that, for how long it was so, and
/// whether the summary is what it was or how it ended. `apart`, if any, follows the summary: see
/// labels_apart().
std::string headline_of(const Notification& note, std::string_view apart = {});
/// Of each alert of a list, where titles and summaries of several are the same, the labels that differ:
/// "mountpoint=/var"; otherwise "".
std::vector<std::string> labels_apart(const std::vector<Notification>& alerts);
/// "3 alerts"; while some of them fire, those: "1 alert and 2 over".
std::string count_of(const Group& group);
/// The annotation `description`, which speaks of now: none once it is over, or where it is the summary.
std::string_view description_of(const Notification& note);
/// "web-1", or "the fleet".
std::string place_of(const Notification& note);
/// What the rule asked, and what the host was busy with, while it fires: no table of actions, and of each no
/// more rows than `most_rows`; 0: all.
std::vector<Evidence> evidence_of(const Notification& note, std::size_t most_rows);
/// "HighCpu on web-1", or its own title.
std::string title_of(const Notification& note);
/// The annotation `runbook_url` if it is a link to the web; otherwise "".
std::string_view runbook_of(const Notification& note);
/// How long it fired, or is firing: "12m 5s". `until_ms` matters while it fires.
std::string duration_text(const Notification& note, std::int64_t until_ms);
/// "2026-11-21 14:00:05 UTC"
std::string utc_text(std::int64_t t_ms);

/// At most `bytes`, cut between UTF-8 characters, with "…" when something was cut.
std::string cut(std::string_view text, std::size_t bytes);
/// Control characters (CR, LF and NUL among them) become spaces: for one line of a header or subject.
std::string one_line(std::string_view text);
/// The first line of what a program says, printable and no longer than people read; "" when it says nothing.
std::string first_line(std::string_view text);
/// &amp; &lt; &gt; only, as Slack asks for: nothing outside can mention a channel or make a link. What it is
/// put into is a code span or a link; elsewhere slack_escape().
std::string slack_entities(std::string_view text);
/// A value on one line of Slack's markup, where none of it is markup. Slack has no escape for that: what
/// would be bold, italic, struck or code has a character that looks like it, and a name between colons is no
/// emoji. A web address stays one, with %2A for such characters.
std::string slack_escape(std::string_view text);
/// The same of a text that may have several lines, which are quoted then, as no line of vigil's own is.
std::string slack_lines(std::string_view text);
/// cut() of a text in Slack's markup, which leaves no half of a link, a date or an entity.
std::string cut_slack(std::string_view markup, std::size_t bytes);

}  // namespace vigil::notify
