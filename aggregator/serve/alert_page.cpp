#include "aggregator/serve/alert_page.h"

#include "common/text/exposition.h"
#include "common/text/html.h"
#include "common/text/human.h"

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

std::string moment(std::int64_t t_ms) {
  return t_ms == 0 ? "-" : format_rfc3339(t_ms);
}

std::string describe(const alerts::AlertInfo& alert) {
  std::string page = fmt::format("<h1>{} <small>{} {}</small></h1>\n<table>\n", html_escape(alert.name),
                                 html_escape(alert.severity), alerts::to_string(alert.state));
  row(page, "host", alert.instance);
  row(page, "value", format_value(alert.value));
  row(page, "since", moment(alert.active_since_ms));
  row(page, "fired", moment(alert.fired_at_ms));
  row(page, "resolved", moment(alert.resolved_at_ms));
  if (!alert.inhibited_by.empty()) row(page, "held back by", alert.inhibited_by);
  if (!alert.reason.empty()) row(page, "reason", alert.reason);
  for (const Label& annotation : alert.annotations) row(page, annotation.name, annotation.value);
  for (const Label& label : alert.labels) row(page, label.name, label.value);
  for (const auto& evidence : alert.evidence) {
    for (const auto& line : evidence.rows) row(page, evidence.title, line.name + " " + line.value);
  }
  return page + "</table>\n";
}

std::string list(const std::vector<alerts::AlertInfo>& alerts) {
  std::string page = "<h1>Alerts</h1>\n<table>\n";
  for (const auto& alert : alerts) {
    page += fmt::format("<tr><td>{}</td><td>{}</td><td><a href=\"/alerts/{}\">{}</a></td><td>{}</td></tr>\n",
                        alerts::to_string(alert.state), html_escape(alert.severity),
                        html_escape(alert.fingerprint), html_escape(alert.name), html_escape(alert.instance));
  }
  return page + (alerts.empty() ? "</table><p>Nothing is pending or firing.</p>\n" : "</table>\n");
}

http::Response html(std::string content) {
  http::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.headers = {{"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"}};
  response.body =
      "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>vigil</title>"
      "<style>body{font:16px sans-serif;margin:2em}th,td{text-align:left;padding:.2em 1em .2em "
      "0;vertical-align:top}</style>\n" +
      std::move(content);
  return response;
}

}  // namespace

http::Response alert_page(const std::string& path, const std::vector<alerts::AlertInfo>& alerts) {
  const std::string_view id = std::string_view(path).substr(std::min(kPrefix.size(), path.size()));
  if (id.empty()) return html(list(alerts));
  for (const auto& alert : alerts) {
    if (alert.fingerprint == id) return html(describe(alert));
  }
  http::Response gone =
      html("<h1>No such alert</h1><p>It is over for longer than alerts are kept here.</p>\n");
  gone.status = 404;
  return gone;
}

}  // namespace vigil::aggregator
