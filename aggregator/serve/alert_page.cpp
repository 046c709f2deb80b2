#include "aggregator/serve/alert_page.h"

#include "aggregator/serve/page.h"
#include "common/text/html.h"
#include "common/text/human.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

constexpr std::string_view kPrefix = "/alerts/";

/// Keys and values come from outside: nothing of them may become markup, but a link to the web may be
/// followed.
void row(std::string& page, std::string_view key, std::string_view value) {
  const std::string text = html_escape(value);
  page += fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", html_escape(key),
                      is_web_link(value) ? fmt::format("<a href=\"{0}\">{0}</a>", text) : text);
}

/// "2026-11-21 14:00:05 UTC, 12m 5s ago"
std::string moment(std::int64_t t_ms, std::int64_t now_ms) {
  if (t_ms == 0) return "–";
  std::string text = format_rfc3339(t_ms / 1000 * 1000);
  text = fmt::format("{} {} UTC", text.substr(0, 10), text.substr(11, 8));
  const std::int64_t age_ms = std::max<std::int64_t>(now_ms - t_ms, 0) / 1000 * 1000;
  return fmt::format("{}, {} ago", text, format_age(std::chrono::milliseconds(age_ms)));
}

std::string text_of(const alerts::AlertInfo& alert, std::string_view annotation) {
  return std::string(alert.annotations.get(annotation));
}

/// With its unit where the rule says one.
std::string value_of(const alerts::AlertInfo& alert) {
  const std::string said = text_of(alert, "value");
  return said.empty() ? format_si(alert.value) : said;
}

/// What the page says elsewhere, or what is no text for people.
bool is_told(std::string_view annotation) {
  return annotation == "summary" || annotation == "description" || annotation == "value" ||
         annotation.starts_with("vigil_");
}

std::string table_of(const notify::Evidence& evidence) {
  std::string page = fmt::format("<h2>{}</h2>\n<table>\n", html_escape(evidence.title));
  for (const auto& line : evidence.rows) row(page, line.name, line.value);
  return page + "</table>\n";
}

std::string describe(const alerts::AlertInfo& alert, std::int64_t now_ms) {
  std::string page =
      fmt::format("<h1>{} <small>{} {}</small></h1>\n<p>{}</p>\n<p>{}</p>\n<table>\n",
                  html_escape(alert.name), html_escape(alert.severity), alerts::to_string(alert.state),
                  html_escape(text_of(alert, "summary")), html_escape(text_of(alert, "description")));
  row(page, "host", alert.instance);
  row(page, "value", value_of(alert));
  row(page, "since", moment(alert.active_since_ms, now_ms));
  row(page, "fired", moment(alert.fired_at_ms, now_ms));
  if (alert.resolved_at_ms != 0) row(page, "resolved", moment(alert.resolved_at_ms, now_ms));
  if (!alert.inhibited_by.empty()) row(page, "held back by", alert.inhibited_by);
  if (alert.acknowledgement)
    row(page, "acknowledged by",
        fmt::format("{}: {}", alert.acknowledgement.author, alert.acknowledgement.comment));
  if (!alert.silenced_by.empty())
    row(page, "silenced by", fmt::format("{}", fmt::join(alert.silenced_by, ", ")));
  if (!alert.reason.empty()) row(page, "reason", alert.reason);
  for (const LabelView& annotation : alert.annotations) {
    if (!is_told(annotation.name)) row(page, annotation.name, annotation.value);
  }
  for (const LabelView& label : alert.labels) {
    if (label.name != "alertname" && label.name != "instance" && label.name != "severity")
      row(page, label.name, label.value);
  }
  page += "</table>\n";
  for (const auto& evidence : alert.evidence) page += table_of(evidence);
  return page;
}

std::string list(const std::vector<alerts::AlertInfo>& alerts, std::int64_t now_ms) {
  if (alerts.empty()) return "<h1>Alerts</h1>\n<p>Nothing is pending or firing.</p>\n";
  std::string page =
      "<h1>Alerts</h1>\n<table>\n<tr><th>state</th><th>severity</th><th>alert</th><th>host</th>"
      "<th>value</th><th>since</th><th>summary</th></tr>\n";
  for (const auto& alert : alerts) {
    page += fmt::format("<tr><td>{}</td><td>{}</td><td><a href=\"/alerts/{}\">{}</a></td><td>{}</td>",
                        alerts::to_string(alert.state), html_escape(alert.severity),
                        html_escape(alert.fingerprint), html_escape(alert.name), html_escape(alert.instance));
    page += fmt::format("<td>{}</td><td>{}</td><td>{}</td></tr>\n", html_escape(value_of(alert)),
                        moment(alert.active_since_ms, now_ms), html_escape(text_of(alert, "summary")));
  }
  return page + "</table>\n";
}

}  // namespace

http::Response alert_page(const std::string& path, const std::vector<alerts::AlertInfo>& alerts,
                          std::int64_t now_ms) {
  const std::string_view id = std::string_view(path).substr(std::min(kPrefix.size(), path.size()));
  if (id.empty()) return html_page(list(alerts, now_ms));
  for (const auto& alert : alerts) {
    if (alert.fingerprint == id) return html_page(describe(alert, now_ms));
  }
  http::Response gone =
      html_page("<h1>No such alert</h1><p>It is over for longer than alerts are kept here.</p>\n");
  gone.status = 404;
  return gone;
}

}  // namespace vigil::aggregator
