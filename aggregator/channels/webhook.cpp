// Alertmanager's webhooks: its own JSON, or a body as somebody wrote it.
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/payload.h"
#include "aggregator/notify/text.h"

#include <boost/json/parse.hpp>

namespace vigil::channels {
namespace {

constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kTextType = "text/plain; charset=utf-8";

std::string_view type_of(const std::string& body) {
  boost::system::error_code error;
  boost::json::parse(body, error);
  return error ? kTextType : kJsonType;
}

}  // namespace

Render make_webhook(const routing::WebhookChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  notify::Request base = http_request(site, read_url(site, "url", channel.url), channel.http);
  base.timeout = channel.timeout;
  std::optional<Wording> body;
  if (channel.payload) body = Texts(channel.at, making)("payload", channel.payload);
  return [base, body, max_alerts = channel.max_alerts, external_url = making.external_url](
             const notify::Shipment& shipment, std::int64_t now_ms) {
    const Told told(shipment, now_ms, external_url);
    Writer write(told);
    const std::string text = body ? write.text(*body) : "";
    // One that failed says less than the JSON that everybody knows.
    if (body && write.notes().empty()) return with_body(base, shipment, text, type_of(text));
    notify::Request request = with_body(base, shipment, payload_v4(told, external_url, max_alerts));
    if (body) request.fault = "Alertmanager's JSON was sent instead: " + notify::one_line(write.notes());
    return request;
  };
}

}  // namespace vigil::channels
