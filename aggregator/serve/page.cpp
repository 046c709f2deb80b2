#include "aggregator/serve/page.h"

namespace vigil::aggregator {

http::Response html_page(std::string_view content) {
  http::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.headers = {{"Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                       "base-uri 'none'; frame-ancestors 'none'"}};
  response.body =
      "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>vigil</title>"
      "<style>body{font:16px sans-serif;margin:2em}th,td{text-align:left;padding:.2em 1em .2em "
      "0;vertical-align:top}</style>\n";
  response.body += content;
  return response;
}

}  // namespace vigil::aggregator
