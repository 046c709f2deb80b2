#include "aggregator/http/incoming.h"

#include "common/text/letter_case.h"

#include <string>
#include <utility>

namespace vigil::aggregator::http {
namespace {

namespace beast = boost::beast;

}  // namespace

std::string_view ambiguity_of(const beast::http::request_header<>& header) {
  const std::size_t hosts = header.count(beast::http::field::host);
  if (hosts > 1) return "Host is given more than once";
  if (hosts == 0 && header.version() >= 11) return "Host is missing: HTTP/1.1 asks for one";
  if (header.count(beast::http::field::authorization) > 1) return "Authorization is given more than once";
  return {};
}

Result<Request> request_of(Incoming message) {
  auto request = parse_target(view(message.method_string()), "/");
  if (!request) return request;
  for (const auto& field : message) {
    std::string& value = request->headers[lower_case(view(field.name_string()))];
    value += (value.empty() ? "" : ", ") + std::string(view(field.value()));
  }
  request->body = std::move(message.body());
  // A form's parameters come before those of the URL, as Go's servers have it.
  if (request->header("content-type").starts_with("application/x-www-form-urlencoded")) {
    if (auto added = add_query(*request, request->body); !added) return added.error();
  }
  const std::string_view target = view(message.target());
  auto url = parse_target({}, target);
  if (!url) return url.error();
  request->path = std::move(url->path);
  const auto question = target.find('?');
  if (question != std::string_view::npos) {
    if (auto added = add_query(*request, target.substr(question + 1)); !added) return added.error();
  }
  return request;
}

}  // namespace vigil::aggregator::http
