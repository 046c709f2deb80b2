#include "aggregator/access/oidc/web.h"

#include "aggregator/notify/sockets.h"
#include "aggregator/notify/transfer.h"
#include "common/version.h"

#include <atomic>
#include <memory>

namespace vigil::aggregator::access::oidc {
namespace {

struct Line {
  notify::Sockets sockets;  // outlive the connections, which are kept between requests
  notify::Transfer transfer;
  std::atomic<bool> is_cut = false;
};

/// libcurl asks at least once a second, also while a name server is silent, when there is no socket to cut.
int ends(void* line, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const Line*>(line)->is_cut ? 1 : 0;
}

}  // namespace

Web make_web(std::string ca_file) {
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
    ::curl_easy_setopt(line->transfer.handle(), CURLOPT_NOPROGRESS, 0L);
    ::curl_easy_setopt(line->transfer.handle(), CURLOPT_XFERINFOFUNCTION, ends);
    ::curl_easy_setopt(line->transfer.handle(), CURLOPT_XFERINFODATA, line.get());
    const CURLcode code = ::curl_easy_perform(line->transfer.handle());
    if (code == CURLE_OK) return WebReply{line->transfer.status(), line->transfer.reply()};
    if (code == CURLE_WRITE_ERROR)
      return fail(Errc::unavailable, "{}: the answer has more than {} bytes", request.url,
                  notify::kMaxReplyBytes);
    return fail(Errc::unavailable, "{}: {}", request.url, line->transfer.broken_by(code));
  };
  return {ask, [line] {
            line->is_cut = true;
            line->sockets.cut();
          }};
}

}  // namespace vigil::aggregator::access::oidc
