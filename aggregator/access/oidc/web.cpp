#include "aggregator/access/oidc/web.h"

#include "aggregator/notify/sockets.h"
#include "aggregator/notify/transfer.h"
#include "common/version.h"

#include <memory>

namespace vigil::aggregator::access::oidc {

Web make_web(std::string ca_file) {
  struct Line {
    notify::Sockets sockets;  // outlive the connections, which are kept between requests
    notify::Transfer transfer;
  };
  const auto line = std::make_shared<Line>();
  const auto ask = [line, ca_file = std::move(ca_file)](const WebRequest& request) -> Result<WebReply> {
    notify::Request wanted;
    wanted.url = request.url;
    wanted.is_get = !request.form;
    wanted.headers = {fmt::format("User-Agent: vigil/{}", kVersion), "Accept: application/json"};
    if (request.form) {
      wanted.headers.emplace_back("Content-Type: application/x-www-form-urlencoded");
      wanted.body = *request.form;
    }
    wanted.username = request.user;
    wanted.password = request.password;
    wanted.ca_file = ca_file;
    line->transfer.prepare(std::move(wanted), kWebPatience);
    // Wherever the URL leads: it is https, which proves by its certificate to be who was meant, or loopback.
    line->sockets.attach(line->transfer.handle(), notify::Reach::everywhere);
    const CURLcode code = ::curl_easy_perform(line->transfer.handle());
    if (code == CURLE_OK) return WebReply{line->transfer.status(), line->transfer.reply()};
    if (code == CURLE_WRITE_ERROR)
      return fail(Errc::unavailable, "{}: the answer has more than {} bytes", request.url,
                  notify::kMaxReplyBytes);
    const auto failure = line->transfer.judge(code);
    return fail(Errc::unavailable, "{}: {}", request.url, failure ? failure->error : "no answer");
  };
  return {ask, [line] { line->sockets.cut(); }};
}

}  // namespace vigil::aggregator::access::oidc
