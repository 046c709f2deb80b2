// A notification on its way to people: any bytes as the texts of an alert give each kind of receiver a
// request whose parts are read back: JSON and forms are whole, headers are lines, and nothing becomes markup.
#include "aggregator/channels/channels.h"
#include "common/text/utf8.h"
#include "tests/aggregator/channels/read_back.h"

#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

using namespace vigil;

namespace {

constexpr const char* kReceivers = R"(
route: {receiver: all}
receivers:
- name: all
  slack_configs:
  - {api_url: 'https://a.example'}
  - {app_token: t, channel: c}
  - {api_url: 'https://a.example', title: '{{ template "slack.default.title" . }}'}
  webhook_configs:
  - {url: 'http://127.0.0.1/'}
  - {url: 'http://127.0.0.1/', payload: '{"who": {{ toJson .CommonLabels }}, "what": {{ toJson (index .Alerts 0).Title }}}'}
  pagerduty_configs: [{routing_key: k}]
  discord_configs: [{webhook_url: 'https://a.example'}]
  telegram_configs: [{bot_token: '1:x', chat_id: 1}]
  msteams_configs: [{webhook_url: 'https://a.example'}]
  msteamsv2_configs: [{webhook_url: 'https://a.example'}]
  ntfy_configs: [{topic: ops}]
  sms_configs: [{url: 'https://a.example', to: ['1']}]
  command_configs: [{command: [/bin/true]}]
  alertmanager_configs: [{url: 'http://127.0.0.1'}]
  email_configs: [{to: o@example.org, from: v@example.org, smarthost: 'localhost:25'}]
)";

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<notify::Endpoint> make() {
  calendar::Zones zones("/nowhere");  // only UTC: what a machine has must not decide
  const auto read = routing::read_configuration(kReceivers, "fuzz.yml", zones);
  require(static_cast<bool>(read));
  auto made = channels::make_endpoints(*read, "https://vigil.example/");
  require(static_cast<bool>(made));
  return std::move(*made);
}

/// The input, a piece of it for each text: pieces end where it has a byte of 0xFE, which is in no UTF-8.
std::vector<std::string> pieces_of(std::string_view input) {
  constexpr std::size_t kTexts = 8;
  std::vector<std::string> out;
  while (out.size() < kTexts) {
    const std::string_view piece = input.substr(0, input.find('\xFE'));
    out.emplace_back(piece);
    input.remove_prefix(std::min(input.size(), piece.size() + 1));
  }
  return out;
}

notify::Shipment shipment_of(std::string_view input) {
  const std::vector<std::string> texts = pieces_of(input);
  notify::Notification note;
  note.key = note.fingerprint = "0123456789abcdef";
  note.alert = texts[0];
  note.instance = texts[1];
  note.severity = texts[2];
  note.labels =
      Labels{{"alertname", texts[0]}, {"instance", texts[1]}, {"team", texts[3]}, {texts[4], texts[3]}};
  note.annotations = Labels{{"summary", texts[5]}, {"description", texts[6]}, {"runbook_url", texts[7]}};
  note.evidence = {{texts[6], {{texts[5], texts[3]}}}};
  note.active_since_ms = note.fired_at_ms = 1'795'269'485'000;
  note.link = "https://vigil.example/alerts/0123456789abcdef";
  if (input.size() % 5 == 1) {  // of what is no alert
    note.occasion = texts[2];
    note.title = texts[6];
  }
  notify::Notification over = note;
  over.kind = notify::Kind::resolved;
  over.fingerprint = "fedcba9876543210";
  over.resolved_at_ms = 1'795'270'000'000;
  notify::Row row;
  row.receiver = "all/x[0]";
  row.note = note;
  row.group = notify::Group{R"({}:{a="b"})", "all", {{"a", texts[3]}}, {note}};
  if (input.size() % 2 == 1) row.group->alerts.push_back(over);
  notify::Shipment shipment{{row}};
  if (input.size() % 3 == 1) shipment.thread = notify::MessageThread{"C1", "1.2", {note.key}};
  return shipment;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void each_text(const boost::json::value& value, void (*visit)(std::string_view)) {
  if (const auto* text = value.if_string()) visit(*text);
  if (const auto* array = value.if_array()) {
    for (const auto& item : *array) each_text(item, visit);
  }
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) each_text(member, visit);
  }
}

void check_mrkdwn(std::string_view text) {
  for (const std::string& active : test::read_mrkdwn(text).active)
    require(active.starts_with("<!date^") || active.starts_with("<https://"));
  const std::string marks = test::mrkdwn_marks(text);
  for (std::size_t at = marks.find(':'); at != std::string::npos;
       at = marks.find(':', marks.find(':', at + 1) + 1))
    require(std::string_view(marks).substr(at).find("_circle:") <
            std::string_view(":large_yellow").size() + 1);
  require(marks.find('~') == std::string::npos);
}

void check_markup(const notify::Endpoint& endpoint, const boost::json::value& body) {
  if (endpoint.kind == "slack") each_text(body, check_mrkdwn);
  if (endpoint.kind != "telegram" || !body.as_object().contains("parse_mode")) return;
  for (const std::string& tag : test::read_html(std::string_view(body.at("text").as_string())).active)
    require(tag == "<b" || tag == "</b" || tag == "</a" || tag.starts_with("<a href=\"http"));
}

void check_request(const notify::Endpoint& endpoint, const notify::Request& request) {
  for (const std::string& header : request.headers)
    require(header.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  for (const std::string& line : request.environment)
    require(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  require(is_utf8(request.body));
  if (endpoint.kind == "email") {
    require(request.to.size() == 1 && request.to[0] == "o@example.org");
    require(request.body.find("\r\n.") == std::string::npos && request.body.find('\0') == std::string::npos);
    const std::string head = request.body.substr(0, request.body.find("\r\n\r\n"));
    require(head.find("\r\nBcc") == std::string::npos);
  } else if (endpoint.kind == "sms") {
    const auto form = test::read_form(request.body);
    require(form && form->size() == 3 && form->at("to") == "1");
  } else {
    boost::json::error_code error;
    const auto body = boost::json::parse(request.body, error);
    require(!error);
    check_markup(endpoint, body);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<notify::Endpoint> endpoints = make();
  const notify::Shipment shipment = shipment_of({reinterpret_cast<const char*>(data), size});
  // It is stored before it is sent, as it was made: what agents and texts give is UTF-8.
  for (const notify::Endpoint& endpoint : endpoints)
    check_request(endpoint, endpoint.render(shipment, 1'795'270'000'000));
  return 0;
}
