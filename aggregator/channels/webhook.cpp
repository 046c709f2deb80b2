// Alertmanager's webhooks.
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/payload.h"

namespace vigil::channels {

Render make_webhook(const routing::WebhookChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  notify::Request base = http_request(site, read_url(site, "url", channel.url), channel.http);
  base.timeout = channel.timeout;
  return [base, max_alerts = channel.max_alerts, external_url = making.external_url](
             const notify::Shipment& shipment, std::int64_t now_ms) {
    const Told told(shipment, now_ms, external_url);
    return with_body(base, shipment, payload_v4(told, external_url, max_alerts));
  };
}

}  // namespace vigil::channels
