#include "aggregator/http/message.h"

#include "common/wire/names.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace vigil::aggregator::http {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

struct HttpError {
  unsigned status;
  std::string_view type;
};

HttpError http_error(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
    case Errc::parse:
      return {400, "bad_data"};
    case Errc::not_found:
      return {404, "not_found"};
    case Errc::permission:
      return {403, "forbidden"};
    case Errc::limit:
      return {422, "execution"};
    case Errc::timeout:
      return {503, "timeout"};
    case Errc::unavailable:
      return {503, "unavailable"};
    case Errc::conflict:
      return {409, "conflict"};
    default:
      return {500, "internal"};
  }
}

}  // namespace

std::string Request::get(const std::string& name, std::string_view fallback) const {
  const auto at = query.find(name);
  return at == query.end() ? std::string(fallback) : at->second;
}

std::vector<std::string> Request::all(const std::string& name) const {
  std::vector<std::string> values;
  for (auto [at, end] = query.equal_range(name); at != end; ++at) values.push_back(at->second);
  return values;
}

std::string_view Request::header(const std::string& name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? std::string_view() : std::string_view(at->second);
}

Response error_response(unsigned status, std::string_view type, std::string_view message) {
  // It may quote what came; JSON is UTF-8.
  const std::string text = wire::clean_text(message, message.size());
  const boost::json::value body = {{"status", "error"}, {"errorType", type}, {"error", text}};
  return {status, "application/json", boost::json::serialize(body) + "\n", {}};
}

Response error_response(const Error& error) {
  const HttpError as = http_error(error.code);
  return error_response(as.status, as.type, error.message);
}

namespace {

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::string decode_path(std::string_view text) {
  std::string single(text);
  const auto both_slashes = [](char a, char b) { return a == '/' && b == '/'; };
  single.erase(std::unique(single.begin(), single.end(), both_slashes), single.end());
  return unescape(single);
}

std::string decode_url(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return unescape(spaced);
}

Result<void> add_query(Request& request, std::string_view query) {
  constexpr std::size_t kMost = 10'000;  // each takes thirty times the bytes it came in
  while (!query.empty()) {
    if (request.query.size() == kMost) return fail(Errc::limit, "more than {} parameters", kMost);
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    request.query.emplace(decode_url(pair.substr(0, equals)), decode_url(value));
  }
  return {};
}

Result<Request> parse_target(std::string_view method, std::string_view target) {
  if (target.empty() || target[0] != '/')
    return fail(Errc::parse, "the request's target must begin with '/'");
  Request request;
  request.method = method;
  const auto question = target.find('?');
  request.path = decode_path(target.substr(0, question));
  if (question != std::string_view::npos) {
    if (auto added = add_query(request, target.substr(question + 1)); !added) return added.error();
  }
  return request;
}

}  // namespace vigil::aggregator::http
