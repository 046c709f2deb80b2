// Text messages through a gateway that takes fields over HTTP. vigil writes the request itself: whatever a
// label says, it stays within its field.
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/plain_text.h"
#include "aggregator/channels/template_data.h"
#include "common/text/ascii.h"
#include "common/text/url_coding.h"
#include "common/text/utf8.h"

#include <boost/json.hpp>
#include <map>
#include <utility>

namespace vigil::channels {
namespace {

constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

constexpr std::pair<std::string_view, std::string_view> kFields[] = {
    {"to", "{{ .To }}"}, {"from", "{{ .From }}"}, {"text", "{{ .Text }}"}};

struct SmsMaker {
  notify::Request base;
  routing::SmsMethod method = routing::SmsMethod::post;
  routing::SmsFormat format = routing::SmsFormat::form;
  std::string to, from, external_url;
  std::size_t max_length = 0;
  Wording text;
  std::map<std::string, Wording> fields;

  notify::Request operator()(const notify::Shipment& shipment, std::int64_t now_ms) const;
  std::map<std::string, std::string> write_fields(Told& told) const;
};

/// Three dots, since the ellipsis would make a message of plain letters one of 70 characters a part.
std::string cut_sms(const std::string& text, std::size_t units) {
  constexpr std::string_view kDots = "...";
  constexpr std::string_view kEllipsis = "…";  // of cut_units(), which counts it as one
  if (length_in_units(text) <= units) return text;
  std::string out = cut_units(text, units - kDots.size() + 1);
  out.resize(out.size() - kEllipsis.size());
  return out.append(kDots);
}

std::string form_of(const std::map<std::string, std::string>& fields) {
  std::string out;
  for (const auto& [name, value] : fields)
    out += fmt::format("{}{}={}", out.empty() ? "" : "&", percent_coded(name), percent_coded(value));
  return out;
}

std::map<std::string, std::string> SmsMaker::write_fields(Told& told) const {
  Writer write(told);
  std::string body = write.text(text);
  if (!write.notes().empty()) body += '\n' + write.notes();
  const std::string cut = cut_sms(body, max_length);
  told.data = template_data(told.group, external_url, {{"To", to}, {"From", from}, {"Text", cut}});
  std::map<std::string, std::string> out;
  for (const auto& [name, wording] : fields) out[name] = write.text(wording);
  return out;
}

notify::Request SmsMaker::operator()(const notify::Shipment& shipment, std::int64_t now_ms) const {
  Told told(shipment, now_ms, external_url);
  const auto written = write_fields(told);
  if (format == routing::SmsFormat::json) {
    boost::json::object body;
    for (const auto& [name, value] : written) body[name] = value;
    return with_body(base, shipment, body);
  }
  if (method == routing::SmsMethod::post) return with_body(base, shipment, form_of(written), kFormType);
  notify::Request request = with_body(base, shipment, "", kFormType);
  request.is_get = true;
  request.url += (request.url.find('?') == std::string::npos ? '?' : '&') + form_of(written);
  return request;
}

}  // namespace

Render make_sms(const routing::SmsChannel& channel, std::size_t number, const Making& making) {
  const Site site{channel.at, making.problems};
  const Texts texts(channel.at, making);
  SmsMaker out;
  out.base = http_request(site, read_url(site, "url", channel.url), channel.http);
  out.method = channel.method;
  out.format = channel.format;
  out.to = well_formed(channel.to.at(number));
  out.from = well_formed(channel.from);
  out.external_url = making.external_url;
  out.max_length = channel.max_length;
  out.text = texts("text", channel.text, R"({{ template "sms.default.text" . }})");
  if (channel.fields.empty()) {
    for (const auto& [name, text] : kFields)
      out.fields[std::string(name)] = texts("fields", std::nullopt, text);
  }
  for (const auto& [name, text] : channel.fields)
    out.fields[well_formed(name)] = texts("fields." + name, text);
  if (out.base.url.find('#') != std::string::npos)
    site.wrong(channel.url.file.empty() ? "url" : "url_file", "must not have a fragment (#...)");
  return out;
}

}  // namespace vigil::channels
