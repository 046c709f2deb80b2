// Mail: a text part and an HTML part, and all mails of a group in one thread.
#include "aggregator/channels/email.h"

#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/notify/message.h"
#include "aggregator/notify/mime.h"
#include "aggregator/notify/text.h"
#include "common/text/address.h"
#include "common/text/ascii.h"
#include "common/text/html.h"
#include "common/text/letter_case.h"
#include "common/text/trim.h"
#include "common/tls/token.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <utility>

namespace vigil::channels {
namespace {

constexpr std::uint16_t kSubmissionPort = 587;
constexpr std::uint16_t kSmtpsPort = 465;
constexpr std::size_t kSubjectBytes = 400;
constexpr std::size_t kHeaderBytes = 2'000;
constexpr std::string_view kSubject = R"({{ template "email.default.subject" . }})";
constexpr std::string_view kNoAddress =
    "'{}' is not an address; write vigil@example.org or Vigil <vigil@example.org>";

struct MailTexts {
  Wording from, to, subject, text, html;
  std::map<std::string, Wording> headers;  // by their names as they are to be written; without the above
  std::optional<Wording> shown_from, shown_to;
};

/// RFC 5322, 3.6.8: printable ASCII without a colon.
bool is_header_name(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7F && c != ':'; });
}

void take_header(const std::string& name, const std::string& value, const Texts& texts, const Site& site,
                 MailTexts& out) {
  constexpr std::array<std::string_view, 10> kOwn = {"message-id",   "date",
                                                     "mime-version", "content-type",
                                                     "return-path",  "content-transfer-encoding",
                                                     "x-vigil-key",  "in-reply-to",
                                                     "references",   "auto-submitted"};
  const std::string key = "headers." + name;
  const std::string known = lower_case(name);
  if (!is_header_name(name)) return site.wrong(key, "is no header's name: printable ASCII without a colon");
  if (std::find(kOwn.begin(), kOwn.end(), known) != kOwn.end())
    return site.wrong(key, "cannot be set: vigil writes this header itself");
  if (has_control(value)) return site.wrong(key, "must be one line");
  if (known == "subject") {
    out.subject = texts(key, value, kSubject);
  } else if (known == "from") {
    out.shown_from = texts(key, value);
  } else if (known == "to") {
    out.shown_to = texts(key, value);
  } else {
    out.headers.insert_or_assign(name, texts(key, value));
  }
}

/// What is no template is known to be right before a mail is sent.
void check_addresses(const Site& site, std::string_view key, std::string_view text) {
  if (text.find("{{") != std::string_view::npos) return;
  const auto addresses = split_addresses(text);
  if (addresses.empty()) site.wrong(key, "at least one address is needed");
  for (const std::string& address : addresses) {
    if (notify::address_of(address).empty()) site.wrong(key, fmt::format(kNoAddress, address));
  }
}

MailTexts texts_of(const routing::EmailChannel& channel, const Making& making, const Site& site) {
  const Texts texts(channel.at, making);
  MailTexts out;
  check_addresses(site, "from", channel.server.from);
  check_addresses(site, "to", channel.to);
  out.from = texts("from", channel.server.from);
  out.to = texts("to", channel.to);
  out.subject = texts("headers.Subject", std::nullopt, kSubject);
  out.text = texts("text", channel.text, R"({{ template "email.default.text" . }})");
  out.html = texts("html", channel.html, R"({{ template "email.default.html" . }})");
  for (const auto& [name, value] : channel.headers) take_header(name, value, texts, site, out);
  return out;
}

/// Only ever in an encrypted connection, or within this machine.
void take_login(const routing::MailServer& from, const Site& site, const Address& server,
                notify::Request& out) {
  if (from.auth_username.empty()) return;
  if (has_control(from.auth_username)) site.wrong("auth_username", "must be one line");
  out.username = from.auth_username;
  out.password = read(site, "auth_password", from.auth_password);
  if (from.auth_password.empty())
    site.wrong("auth_username", "auth_password or auth_password_file belongs to it");
  const bool encrypted = out.starttls == notify::StartTls::required || server.port == kSmtpsPort;
  if (!encrypted && !server.is_loopback())
    site.wrong("require_tls", "a password is sent only with require_tls, or on loopback");
}

notify::Request server_request(const routing::MailServer& from, const Site& site) {
  notify::Request out;
  out.protocol = notify::Protocol::smtp;
  const auto server = parse_address(from.smarthost, kSubmissionPort);
  if (!server) {
    site.wrong("smarthost", server.error().message);
    return out;
  }
  if (has_control(from.smarthost) || from.smarthost.find_first_of("/@? ") != std::string::npos)
    site.wrong("smarthost", "must be host:port");
  out.url = fmt::format("{}://{}", server->port == kSmtpsPort ? "smtps" : "smtp", server->to_string());
  if (from.hello.find_first_of("/ ") != std::string::npos || has_control(from.hello))
    site.wrong("hello", "must be a host's name");
  out.hello = from.hello;
  out.starttls = from.require_tls.value_or(true) ? notify::StartTls::required : notify::StartTls::none;
  if (from.tls) take_tls(site, "tls_config", *from.tls, out);
  take_login(from, site, *server, out);
  return out;
}

bool has_addresses(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames = {"cc", "bcc", "reply-to", "sender"};
  return std::find(kNames.begin(), kNames.end(), lower_case(name)) != kNames.end();
}

/// A header of addresses, or of text where it is none.
std::string address_header(std::string_view name, const std::string& text) {
  std::string line;
  for (const std::string& address : split_addresses(text)) {
    const std::string written = notify::mailbox(address);
    if (written.empty()) return notify::header(name, text);
    line += (line.empty() ? "" : ",\r\n ") + written;
  }
  return line.empty() ? notify::header(name, text) : fmt::format("{}: {}\r\n", name, line);
}

/// One mail in the making.
class Mail {
 public:
  Mail(const MailTexts& texts, const Told& told, notify::Request& request)
      : texts_(texts),
        told_(told),
        write_(told),
        request_(request),
        token_(mail_token(told.shipment.key())) {}

  void make() {
    address_it();
    // Everything is written before the parts, which tell what went wrong with it.
    std::string head = headers();
    std::string text = write_.text(texts_.text);
    std::string html = write_.html(texts_.html);
    if (!write_.notes().empty()) {
      text += fmt::format("\n{}\n", write_.notes());
      if (!html.empty()) html += fmt::format("<p>{}</p>\n", html_escape(write_.notes()));
    }
    request_.body = std::move(head) + parts(text, html);
  }

 private:
  /// Who gets it: nobody whose address is none; if there is no other, the sender.
  void address_it() {
    from_ = write_.text(texts_.from);
    request_.from = notify::address_of(from_);
    if (request_.from.empty()) request_.from = from_ = "vigil@localhost";
    to_ = write_.text(texts_.to);
    for (const std::string& address : split_addresses(to_)) {
      std::string plain = notify::address_of(address);
      if (!plain.empty()) request_.to.push_back(std::move(plain));
    }
    if (request_.to.empty()) request_.to.push_back(request_.from);
  }

  std::string shown(const std::optional<Wording>& wording, const std::string& otherwise) {
    std::string text = wording ? write_.text(*wording) : std::string();
    return text.empty() ? otherwise : text;
  }

  std::string domain() const { return request_.from.substr(request_.from.find('@') + 1); }

  std::string headers() {
    std::string out = notify::plain_header("Date", notify::mail_date(told_.now_ms));
    out += address_header("From", shown(texts_.shown_from, from_));
    out += address_header("To", shown(texts_.shown_to, to_));
    out += notify::header("Subject", notify::cut(write_.text(texts_.subject), kSubjectBytes));
    out += notify::plain_header("Message-ID", fmt::format("<{}@{}>", token_, domain()));
    // No mail has this name, but all mails of the group answer it.
    const std::string thread =
        fmt::format("<{}.group@{}>",
                    tls::digest_of(told_.group.receiver + '\n' + told_.group.key).substr(0, 32), domain());
    out += notify::plain_header("In-Reply-To", thread);
    out += notify::plain_header("References", thread);
    out += notify::plain_header("Auto-Submitted", "auto-generated");
    out += notify::plain_header("X-Vigil-Key", told_.shipment.key());
    for (const auto& [name, text] : texts_.headers) {
      const std::string value = notify::cut(write_.text(text), kHeaderBytes);
      out += has_addresses(name) ? address_header(name, value) : notify::header(name, value);
    }
    return out + notify::plain_header("MIME-Version", "1.0");
  }

  /// What is empty is no part: `html: ''` is mail of text only.
  std::string parts(const std::string& text, const std::string& html) const {
    const std::string boundary = "=_vigil-" + token_.substr(0, 50);  // no quoted-printable line begins so
    std::string out =
        fmt::format("Content-Type: multipart/alternative;\r\n boundary=\"{}\"\r\n\r\n", boundary);
    const auto part = [&](std::string_view type, const std::string& content) {
      out += fmt::format(
          "--{}\r\nContent-Type: {}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
          boundary, type);
      out += notify::quoted_printable(content);
    };
    if (!text.empty() || html.empty()) part("text/plain", text);
    if (!html.empty()) part("text/html", html);
    return out + fmt::format("--{}--\r\n", boundary);
  }

  const MailTexts& texts_;
  const Told& told_;
  Writer write_;
  notify::Request& request_;
  const std::string token_;
  std::string from_, to_;
};

}  // namespace

std::vector<std::string> split_addresses(std::string_view text) {
  std::vector<std::string> out;
  std::string one;
  bool quoted = false;
  const auto finish = [&] {
    if (const auto address = trim(one, " \t"); !address.empty()) out.emplace_back(address);
    one.clear();
  };
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted) {
      finish();
    } else {
      one += c;
    }
  }
  finish();
  return out;
}

std::string mail_token(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool fine = is_letter(c) || is_digit(c) || c == '-' || c == '.';
    out += fine ? c : '_';
  }
  if (out == text && !out.empty()) return out;
  return out + '.' + tls::digest_of(text).substr(0, 16);
}

Render make_email(const routing::EmailChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  const notify::Request base = server_request(channel.server, site);
  return [base, texts = texts_of(channel, making, site), external_url = making.external_url](
             const notify::Shipment& shipment, std::int64_t now_ms) {
    const Told told(shipment, now_ms, external_url);
    notify::Request request = base;
    Mail(texts, told, request).make();
    return request;
  };
}

}  // namespace vigil::channels
