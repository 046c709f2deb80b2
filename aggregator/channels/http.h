// Requests over HTTP as channels make them: the parts that are the same for each message are made once.
#pragma once

#include "aggregator/notify/endpoint.h"
#include "aggregator/notify/lane.h"
#include "aggregator/routing/http_client.h"
#include "aggregator/routing/secret.h"
#include "common/config/fields.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::channels {

/// Where a channel stands, and where what is wrong with it goes.
struct Site {
  const config::Place& at;
  config::Problems& problems;

  void wrong(std::string_view key, std::string_view message) const { problems.add(at.wrong(key, message)); }
};

/// The secret itself; "" when its file cannot be read, which is a problem.
std::string read(const Site& site, std::string_view key, const routing::Secret& secret);

/// An address, of the key or its file.
std::string read_url(const Site& site, std::string_view key, const routing::Secret& secret);

/// Certificates and keys, into `request`, once they are known to be there; `key` is that of the whole.
void take_tls(const Site& site, std::string_view key, const routing::TlsClient& tls,
              notify::Request& request);

/// Of `http_config`.
notify::Request http_request(const Site& site, std::string url,
                             const std::optional<routing::HttpClient>& http);

/// `base` with its body and the headers of each message.
notify::Request with_body(const notify::Request& base, const notify::Shipment& shipment, std::string body,
                          std::string_view content_type);
/// The same with a body of JSON: an object, or an array.
notify::Request with_body(const notify::Request& base, const notify::Shipment& shipment,
                          const boost::json::object& body);
notify::Request with_body(const notify::Request& base, const notify::Shipment& shipment,
                          const boost::json::array& body);

}  // namespace vigil::channels
