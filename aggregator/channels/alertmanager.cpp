// Another Alertmanager, by version 2 of its API: told what fires, and when what fired was over.
//
// It takes an alert for over at `endsAt`. Of one that fires that is `valid_for` from now, and it is told anew
// before (Channel::remind), so that what fires stays, and what vigil cannot end any more goes.
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/payload.h"
#include "aggregator/notify/requests.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

namespace vigil::channels {
namespace {

/// A label without a value is none; there it would be an error.
boost::json::object texts_of_labels(const Labels& labels) {
  boost::json::object out;
  for (const LabelView& label : labels) {
    if (!label.value.empty()) out[label.name] = label.value;
  }
  return out;
}

/// It takes an end that lies ahead by its own clock for none, and keeps the one it was told before. What is
/// over only just was so a little earlier, therefore, and began no later than it ended.
constexpr std::int64_t kClocksDifferMs = 60'000;

boost::json::object forwarded(const notify::Notification& note, std::int64_t now_ms, std::int64_t valid_ms) {
  const bool is_over = note.kind == notify::Kind::resolved;
  const std::int64_t end_ms =
      is_over ? std::min(note.resolved_at_ms, now_ms - kClocksDifferMs) : now_ms + valid_ms;
  boost::json::object out{{"labels", texts_of_labels(note.labels)},
                          {"annotations", texts_of_labels(note.annotations)},
                          {"startsAt", rfc3339(std::min(note.fired_at_ms, end_ms))},
                          {"endsAt", rfc3339(end_ms)}};
  if (notify::check_url(note.link)) out["generatorURL"] = note.link;
  return out;
}

std::string alerts_address(const Site& site, const routing::Secret& secret) {
  std::string url = read_url(site, "url", secret);
  while (url.ends_with('/')) url.pop_back();
  if (url.find_first_of("?#") != std::string::npos)
    site.wrong(secret.file.empty() ? "url" : "url_file",
               "must have no ? and no #: /api/v2/alerts follows it");
  return url + "/api/v2/alerts";
}

}  // namespace

Render make_alertmanager(const routing::AlertmanagerChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  const notify::Request base = http_request(site, alerts_address(site, channel.url), channel.http);
  return [base, valid_ms = channel.valid_for.count(), external_url = making.external_url](
             const notify::Shipment& shipment, std::int64_t now_ms) {
    const Told told(shipment, now_ms, external_url);
    boost::json::array alerts;
    for (const notify::Notification& note : told.group.alerts)
      alerts.emplace_back(forwarded(note, now_ms, valid_ms));
    return with_body(base, shipment, alerts);
  };
}

}  // namespace vigil::channels
