// PagerDuty's Events API v2: a group of alerts is one event, open as long as something in it fires.
#include "aggregator/channels/backlog.h"
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/plain_text.h"
#include "aggregator/channels/time_format.h"
#include "aggregator/notify/requests.h"
#include "common/text/utf8.h"
#include "common/tls/token.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace vigil::channels {
namespace {

namespace json = boost::json;

constexpr std::size_t kSummaryUnits = 1'024;
constexpr std::size_t kShortUnits = 1'024;
constexpr std::size_t kEventBytes = 512'000;  // 512 KB; larger ones are refused

struct LinkTexts {
  Wording href, text;
};
struct ImageTexts {
  Wording href, src, alt;
};

struct PagerdutyTexts {
  std::string routing_key;
  Wording client, client_url, description, severity, source, component, group, event_class;
  std::map<std::string, Wording> details;
  std::vector<LinkTexts> links;
  std::vector<ImageTexts> images;
};

constexpr std::pair<std::string_view, std::string_view> kDetails[] = {
    {"firing", R"({{ template "pagerduty.default.instances" .Alerts.Firing }})"},
    {"resolved", R"({{ template "pagerduty.default.instances" .Alerts.Resolved }})"},
    {"num_firing", "{{ .Alerts.Firing | len }}"},
    {"num_resolved", "{{ .Alerts.Resolved | len }}"}};

void add_lists(const routing::PagerdutyChannel& channel, const Texts& texts, PagerdutyTexts& out) {
  for (const auto& [name, text] : kDetails)
    out.details[std::string(name)] = texts("details", std::nullopt, text);
  for (const auto& [name, text] : channel.details) {
    const auto own = std::find_if(std::begin(kDetails), std::end(kDetails),
                                  [&name = name](const auto& detail) { return detail.first == name; });
    out.details[name] = texts("details." + name, text, own == std::end(kDetails) ? "" : own->second);
  }
  for (std::size_t i = 0; i < channel.links.size(); ++i) {
    const std::string at = fmt::format("links[{}].", i);
    out.links.push_back(
        {texts(at + "href", channel.links[i].href), texts(at + "text", channel.links[i].text)});
  }
  for (std::size_t i = 0; i < channel.images.size(); ++i) {
    const routing::PagerdutyImage& image = channel.images[i];
    const std::string at = fmt::format("images[{}].", i);
    out.images.push_back(
        {texts(at + "href", image.href), texts(at + "src", image.src), texts(at + "alt", image.alt)});
  }
}

PagerdutyTexts texts_of(const routing::PagerdutyChannel& channel, const Making& making) {
  const Texts texts(channel.at, making);
  PagerdutyTexts out;
  out.client = texts("client", channel.client, R"({{ template "pagerduty.default.client" . }})");
  out.client_url =
      texts("client_url", channel.client_url, R"({{ template "pagerduty.default.clientURL" . }})");
  out.description =
      texts("description", channel.description, R"({{ template "pagerduty.default.description" . }})");
  out.severity = texts("severity", channel.severity);
  out.source = texts("source", channel.source, R"({{ or .CommonLabels.instance "vigil" }})");
  out.component = texts("component", channel.component);
  out.group = texts("group", channel.group);
  out.event_class = texts("class", channel.event_class);
  add_lists(channel, texts, out);
  return out;
}

/// One of the four words PagerDuty takes; it refuses an event with another one.
std::string_view severity_of(const std::string& said, const Told& told) {
  constexpr std::array<std::string_view, 4> kWords = {"critical", "error", "warning", "info"};
  const auto* const word = std::find(kWords.begin(), kWords.end(), said);
  if (word != kWords.end()) return *word;
  return to_string(notify::parse_severity(said.empty() ? worst_of(told.group).severity : said));
}

std::string begin_of(const notify::Group& group) {
  if (group.alerts.empty()) return {};
  const auto first =
      std::min_element(group.alerts.begin(), group.alerts.end(),
                       [](const auto& a, const auto& b) { return a.fired_at_ms < b.fired_at_ms; });
  return format_time(kRfc3339, first->fired_at_ms, *calendar::utc());
}

void put_text(json::object& out, std::string_view key, const std::string& text) {
  if (!text.empty()) out[key] = cut_units(text, kShortUnits);
}

json::object payload(const PagerdutyTexts& texts, const Told& told, Writer& write) {
  json::object out;
  const std::string summary = write.text(texts.description);
  out["summary"] = cut_units(summary.empty() ? "vigil" : summary, kSummaryUnits);
  const std::string source = write.text(texts.source);
  out["source"] = cut_units(source.empty() ? "vigil" : source, kShortUnits);
  out["severity"] = severity_of(write.text(texts.severity), told);
  out["timestamp"] = begin_of(told.group);
  put_text(out, "class", write.text(texts.event_class));
  put_text(out, "component", write.text(texts.component));
  put_text(out, "group", write.text(texts.group));
  json::object details;
  for (const auto& [name, text] : texts.details) details[well_formed(name)] = write.text(text);
  out["custom_details"] = std::move(details);
  return out;
}

/// Links and pictures that lead nowhere are left out: the event would be refused for them.
void put_links(const PagerdutyTexts& texts, Writer& write, json::object& out) {
  json::array links;
  for (const LinkTexts& link : texts.links) {
    const std::string href = write.text(link.href);
    const std::string text = write.text(link.text);
    if (notify::check_url(href)) links.push_back({{"href", href}, {"text", text.empty() ? href : text}});
  }
  if (!links.empty()) out["links"] = std::move(links);
  json::array images;
  for (const ImageTexts& image : texts.images) {
    const std::string src = write.text(image.src);
    if (!notify::check_url(src)) continue;
    json::object& made = images.emplace_back(json::object{{"src", src}}).as_object();
    put_text(made, "href", write.text(image.href));
    put_text(made, "alt", write.text(image.alt));
  }
  if (!images.empty()) out["images"] = std::move(images);
}

/// Details first, then links and pictures: the summary is what wakes people.
void fit(json::object& event) {
  if (json::serialize(event).size() <= kEventBytes) return;
  event["payload"].as_object()["custom_details"] =
      json::object{{"error", "left out: the event was larger than the 512 KB PagerDuty takes"}};
  if (json::serialize(event).size() <= kEventBytes) return;
  event.erase("links");
  event.erase("images");
}

json::object event_of(const PagerdutyTexts& texts, const Told& told) {
  Writer write(told);
  json::object event{{"routing_key", texts.routing_key},
                     {"event_action", is_firing(told.group) ? "trigger" : "resolve"},
                     {"dedup_key", tls::digest_of(told.group.key)}};
  event["payload"] = payload(texts, told, write);
  put_text(event, "client", write.text(texts.client));
  put_text(event, "client_url", write.text(texts.client_url));
  put_links(texts, write, event);
  if (!write.notes().empty())
    event["payload"].as_object()["custom_details"].as_object()["vigil"] = write.notes();
  fit(event);
  return event;
}

}  // namespace

Render make_pagerduty(const routing::PagerdutyChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  PagerdutyTexts texts = texts_of(channel, making);
  texts.routing_key = read(site, "routing_key", channel.routing_key);
  notify::Request base =
      http_request(site, read_url(site, "url", {.value = channel.url, .file = ""}), channel.http);
  base.secrets = {texts.routing_key};
  return [base, texts = std::move(texts), external_url = making.external_url](
             const notify::Shipment& shipment, std::int64_t now_ms) {
    return with_body(base, shipment, event_of(texts, Told(shipment, now_ms, external_url)));
  };
}

}  // namespace vigil::channels
