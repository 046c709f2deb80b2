#include "aggregator/notify/transfer.h"

#include "aggregator/notify/proxies.h"
#include "aggregator/notify/text.h"
#include "common/text/utf8.h"

namespace vigil::notify {
namespace {

curl_usessl use_ssl(StartTls starttls) {
  switch (starttls) {
    case StartTls::required:
      return CURLUSESSL_ALL;
    case StartTls::optional:
      return CURLUSESSL_TRY;
    case StartTls::none:
      break;
  }
  return CURLUSESSL_NONE;
}

constexpr long kFirstFinalStatus = 200;  // 1xx announce another one

/// Statuses that say nothing about the message: overload, and a receiver that is set up wrongly.
bool is_about_the_receiver(long status) {
  constexpr long kStatuses[] = {401, 403, 404, 407, 408, 410, 425, 429};
  return status >= 500 ||
         std::find(std::begin(kStatuses), std::end(kStatuses), status) != std::end(kStatuses);
}

}  // namespace

Transfer::Transfer() : easy_(curl_easy_init()) {}

void Transfer::prepare(Request request, std::chrono::milliseconds timeout) {
  request_ = std::move(request);
  secrets_ = Secrets(request_);
  sent_ = 0;
  reply_.clear();
  has_head_ = false;
  error_[0] = 0;
  list_.reset();
  CURL* easy = easy_.get();
  curl_easy_reset(easy);  // keeps connections alive
  curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a name server that is silent does not hold up the end
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  // Also bounds how long the goodbye to a mail server is waited for.
  curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT,
                   std::max(1L, static_cast<long>(timeout.count() / 1000)));
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_reply);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, note_header);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // a proxy's
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, no_proxy().c_str());
  if (!request_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request_.ca_file.c_str());
  if (!request_.cert_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, request_.cert_file.c_str());
  if (!request_.key_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, request_.key_file.c_str());
  if (!request_.username.empty()) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, request_.username.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, request_.password.c_str());
  }
  if (request_.protocol == Protocol::http) {
    set_http();
  } else {
    set_smtp();
  }
}

void Transfer::set_http() {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (request_.is_get) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.c_str());
  }
  for (const std::string& header : request_.headers)
    list_.reset(curl_slist_append(list_.release(), header.c_str()));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list_.get());
}

void Transfer::set_smtp() {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  // The path of the address is what libcurl greets with.
  if (!request_.hello.empty())
    curl_easy_setopt(easy, CURLOPT_URL, fmt::format("{}/{}", request_.url, request_.hello).c_str());
  curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(use_ssl(request_.starttls)));
  curl_easy_setopt(easy, CURLOPT_MAIL_FROM, fmt::format("<{}>", request_.from).c_str());
  for (const std::string& to : request_.to) {
    list_.reset(curl_slist_append(list_.release(), fmt::format("<{}>", to).c_str()));
  }
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, list_.get());
  // One mistyped recipient must not keep the alert from the others.
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_body);
  curl_easy_setopt(easy, CURLOPT_READDATA, this);
  curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
}

std::size_t Transfer::read_body(char* buffer, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t length = std::min(size * count, transfer.request_.body.size() - transfer.sent_);
  transfer.request_.body.copy(buffer, length, transfer.sent_);
  transfer.sent_ += length;
  return length;
}

std::size_t Transfer::keep_reply(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t most = transfer.request_.judge ? kMaxJudgedReplyBytes : kMaxReplyBytes;
  if (transfer.reply_.size() + size * count > most) return 0;  // ends the transfer; its status stands
  transfer.reply_.append(data, size * count);
  return size * count;
}

std::size_t Transfer::note_header(char* data, std::size_t size, std::size_t count, void* self) {
  const std::string_view line(data, size * count);
  auto& transfer = *static_cast<Transfer*>(self);
  const bool is_end = line == "\r\n" || line == "\n";
  if (is_end && transfer.status() >= kFirstFinalStatus) transfer.has_head_ = true;
  return size * count;
}

long Transfer::status() const {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

std::optional<Failure> Transfer::judge(CURLcode code) const {
  const long status = this->status();
  if (request_.protocol == Protocol::smtp) return judge_smtp(code, status);
  // An answer that is judged must be there, as far as it is read.
  const bool is_whole = code == CURLE_OK || code == CURLE_WRITE_ERROR || !request_.judge;
  if (status >= kFirstFinalStatus && has_head_ && is_whole) return judge_http(status);
  return Failure{FailureKind::away, broken_by(code), 0};
}

std::string Transfer::broken_by(CURLcode code) const {
  return printable(secrets_.cut_from(error_[0] != 0 ? error_ : curl_easy_strerror(code)));
}

std::int64_t Transfer::retry_after_ms() const {
  curl_off_t seconds = 0;  // libcurl reads both forms of the header
  curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &seconds);
  return static_cast<std::int64_t>(std::clamp<curl_off_t>(seconds, 0, 86'400)) * 1000;
}

Verdict Transfer::judge_answer() const {
  if (!request_.judge) return {};
  Verdict verdict = request_.judge({reply_, retry_after_ms()});
  if (verdict.failure) verdict.failure->error = secrets_.cut_from(verdict.failure->error);
  return verdict;
}

std::optional<Failure> Transfer::judge_http(long status) const {
  if (status >= 200 && status < 300) return std::nullopt;
  Failure failure;
  failure.kind = is_about_the_receiver(status) ? FailureKind::away : FailureKind::refused;
  const bool is_redirect = status >= 300 && status < 400;
  const std::string said = is_redirect ? "redirects are not followed" : printable(cut(shown_reply(), 200));
  failure.error = fmt::format("HTTP {}{}{}", status, said.empty() ? "" : ": ", said);
  failure.retry_after_ms = retry_after_ms();
  return failure;
}

std::optional<Failure> Transfer::judge_smtp(CURLcode code, long status) const {
  if (code == CURLE_OK) return std::nullopt;
  Failure failure;
  // A permanent answer to the message or its recipients; everything else is the server's state or our login.
  const bool refused =
      status >= 500 && status < 600 && code != CURLE_LOGIN_DENIED && code != CURLE_USE_SSL_FAILED;
  failure.kind = refused ? FailureKind::refused : FailureKind::away;
  failure.error = broken_by(code);
  return failure;
}

}  // namespace vigil::notify
