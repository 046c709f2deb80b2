#include "aggregator/notify/message.h"
#include "aggregator/notify/mime.h"
#include "aggregator/notify/text.h"

namespace vigil::notify {
namespace {

constexpr std::size_t kRowsInMail = 50;
constexpr std::size_t kSubjectBytes = 200;

std::string subject_of(const Shipment& shipment) {
  const Notification& first = shipment.rows.front().note;
  const std::string status = status_word(first);
  if (shipment.rows.size() > 1)
    return fmt::format("[{}] {}: {} alerts", status, first.alert, shipment.rows.size());
  if (!is_alert(first)) return cut(fmt::format("[{}] {}", status, title_of(first)), kSubjectBytes);
  return cut(fmt::format("[{}] {}: {}", status, title_of(first), headline_of(first)), kSubjectBytes);
}

/// What both parts tell of one alert, in this order.
std::vector<std::pair<std::string, std::string>> facts_of(const Notification& note) {
  std::vector<std::pair<std::string, std::string>> facts;
  if (!is_alert(note)) {
    if (!note.instance.empty()) facts.emplace_back("Host", place_of(note));
    facts.emplace_back(value_name(note), value_text(note));
    return facts;
  }
  facts = {{"Host", place_of(note)},
           {std::string(value_name(note)), value_text(note)},
           {"Since", utc_text(note.active_since_ms)}};
  if (note.kind == Kind::resolved) {
    facts.emplace_back("Resolved", utc_text(note.resolved_at_ms));
    facts.emplace_back("Lasted", duration_text(note, note.resolved_at_ms));
    if (!note.reason.empty()) facts.emplace_back("Because", note.reason);
  }
  for (const LabelView& label : note.labels) {
    if (label.name != "alertname" && label.name != "instance") facts.emplace_back(label.name, label.value);
  }
  facts.emplace_back("Rule", note.expr);
  return facts;
}

std::string text_of(const Notification& note) {
  std::string text =
      fmt::format("{}: {}\n\n{}\n", one_line(status_word(note)), one_line(title_of(note)), headline_of(note));
  if (const auto description = description_of(note); !description.empty()) {
    text += fmt::format("{}\n", description);
  }
  text += '\n';
  for (const auto& [name, value] : facts_of(note))
    text += fmt::format("{:<12} {}\n", name + ':', one_line(value));
  if (note.kind == Kind::firing) {
    for (const Evidence& table : note.evidence) {
      text += fmt::format("\n{}\n", table.title);
      for (const EvidenceRow& row : table.rows)
        text += fmt::format("  {:<40} {}\n", one_line(row.name), one_line(row.value));
    }
  }
  if (const auto runbook = runbook_of(note); !runbook.empty())
    text += fmt::format("\nRunbook: {}\n", runbook);
  if (!note.link.empty()) text += fmt::format("\n{}\n", note.link);
  return text;
}

std::string digest_text(const std::vector<Row>& rows) {
  const Notification& first = rows.front().note;
  std::string text = fmt::format("{}: {}, {} alerts\n\n", status_word(first), first.alert, rows.size());
  for (std::size_t i = 0; i < rows.size() && i < kRowsInMail; ++i) {
    text +=
        fmt::format("  {:<40} {}\n", one_line(place_of(rows[i].note)), one_line(value_text(rows[i].note)));
  }
  if (rows.size() > kRowsInMail) text += fmt::format("  and {} more\n", rows.size() - kRowsInMail);
  return text;
}

// Mail programs know little CSS and no style sheets: tables and inline styles.
constexpr std::string_view kCell = "padding:4px 12px 4px 0;vertical-align:top;";

std::string html_row(std::string_view name, std::string_view value) {
  return fmt::format(
      "<tr><td style=\"{0}color:#607080;white-space:nowrap\">{1}</td><td style=\"{0}\">{2}</td></tr>\n",
      kCell, html_escape(one_line(name)), html_escape(one_line(value)));
}

std::string html_of(const Notification& note) {
  std::string html = fmt::format("<p style=\"margin:0 0 8px;font-size:16px;white-space:pre-line\">{}</p>\n",
                                 html_escape(headline_of(note)));
  if (const auto description = description_of(note); !description.empty()) {
    html += fmt::format("<p style=\"margin:0 0 16px;color:#607080\">{}</p>\n", html_escape(description));
  }
  html += "<table role=\"presentation\" cellspacing=\"0\" style=\"border-collapse:collapse\">\n";
  for (const auto& [name, value] : facts_of(note)) html += html_row(name, value);
  html += "</table>\n";
  if (note.kind == Kind::firing) {
    for (const Evidence& table : note.evidence) {
      html +=
          fmt::format("<h3 style=\"margin:20px 0 4px;font-size:14px\">{}</h3>\n", html_escape(table.title));
      html += "<table role=\"presentation\" cellspacing=\"0\" style=\"border-collapse:collapse\">\n";
      for (const EvidenceRow& row : table.rows) {
        html += fmt::format("<tr><td style=\"{0}\">{1}</td><td style=\"{0}text-align:right\">{2}</td></tr>\n",
                            kCell, html_escape(one_line(row.name)), html_escape(one_line(row.value)));
      }
      html += "</table>\n";
    }
  }
  if (const auto runbook = runbook_of(note); !runbook.empty()) {
    html += fmt::format("<p style=\"margin:20px 0 0\"><a href=\"{0}\">Runbook: {0}</a></p>\n",
                        html_escape(runbook));
  }
  if (!note.link.empty()) {
    html += fmt::format(
        "<p style=\"margin:20px 0 0\"><a href=\"{}\" style=\"background:#24384e;color:#ffffff;padding:8px "
        "16px;"
        "border-radius:4px;text-decoration:none\">Open in vigil</a></p>\n",
        html_escape(note.link));
  }
  return html;
}

std::string digest_html(const std::vector<Row>& rows) {
  std::string html = "<table role=\"presentation\" cellspacing=\"0\" style=\"border-collapse:collapse\">\n";
  for (std::size_t i = 0; i < rows.size() && i < kRowsInMail; ++i)
    html += html_row(place_of(rows[i].note), value_text(rows[i].note));
  html += "</table>\n";
  if (rows.size() > kRowsInMail) html += fmt::format("<p>and {} more</p>\n", rows.size() - kRowsInMail);
  return html;
}

std::string recipients(const std::vector<std::string>& to) {
  std::string out;
  for (const std::string& one : to) out += (out.empty() ? "" : ",\r\n ") + mailbox(one);
  return out;
}

std::string message_id(std::string_view key, std::string_view from) {
  const std::string address = address_of(from);
  return fmt::format("<{}@{}>", key, address.substr(address.find('@') + 1));
}

}  // namespace

std::string address_of(std::string_view text) {
  if (one_line(text) != text) return {};  // also in the name: CR and LF would begin a new header
  const std::size_t open = text.find('<');
  if (open != std::string_view::npos) {
    const std::size_t close = text.find('>', open);
    if (close == std::string_view::npos || close + 1 != text.size()) return {};
    text = text.substr(open + 1, close - open - 1);
  }
  const std::size_t at = text.find('@');
  const bool fine = at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
                    std::none_of(text.begin(), text.end(), [](char c) {
                      return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '<' || c == '>' ||
                             c == ',' || c == ';';
                    });
  return fine ? std::string(text) : std::string();
}

std::string render_email_html(const Shipment& shipment) {
  const Notification& first = shipment.rows.front().note;
  const bool is_digest = shipment.rows.size() > 1;
  const std::string title =
      is_digest ? fmt::format("{}: {} alerts", first.alert, shipment.rows.size()) : title_of(first);
  return fmt::format(
      "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"></head>\n"
      "<body style=\"margin:0;background:#f2f4f7;font-family:-apple-system,'Segoe "
      "UI',Roboto,Arial,sans-serif;font-size:14px;"
      "color:#1c2733\">\n"
      "<table role=\"presentation\" width=\"100%\" cellspacing=\"0\"><tr><td align=\"center\" "
      "style=\"padding:24px 8px\">\n"
      "<table role=\"presentation\" cellspacing=\"0\" "
      "style=\"width:100%;max-width:640px;background:#ffffff;border-radius:6px;"
      "border-top:6px solid {0}\">\n"
      "<tr><td style=\"padding:20px 24px 0\"><span style=\"color:{0};font-weight:bold\">{1}</span>\n"
      "<h2 style=\"margin:4px 0 12px;font-size:20px\">{2}</h2></td></tr>\n"
      "<tr><td style=\"padding:0 24px 24px\">\n{3}</td></tr>\n</table>\n</td></tr></table>\n</body></html>\n",
      colour_of(first), html_escape(one_line(status_word(first))), html_escape(one_line(title)),
      is_digest ? digest_html(shipment.rows) : html_of(first));
}

std::string render_email(const Shipment& shipment, const EmailConfig& config, std::int64_t now_ms) {
  const Notification& first = shipment.rows.front().note;
  const std::string key = shipment.key();
  // No quoted-printable line begins so; 70 characters at most (RFC 2046).
  const std::string boundary = "=_vigil-" + key.substr(0, 50);
  std::string mail;
  mail += plain_header("Date", mail_date(now_ms));
  mail += fmt::format("From: {}\r\n", mailbox(config.from));
  mail += fmt::format("To: {}\r\n", recipients(config.to));
  mail += header("Subject", subject_of(shipment));
  mail += plain_header("Message-ID", message_id(key, config.from));
  if (first.kind == Kind::resolved && shipment.rows.size() == 1) {
    // Mail programs show it as the answer to the message that said it fires.
    const std::string fired = fmt::format("{}-{}-firing", first.fingerprint, first.fired_at_ms);
    mail += plain_header("In-Reply-To", message_id(fired, config.from));
    mail += plain_header("References", message_id(fired, config.from));
  }
  mail += plain_header("Auto-Submitted", "auto-generated");
  mail += plain_header("X-Vigil-Key", key);
  mail += plain_header("MIME-Version", "1.0");
  mail += fmt::format("Content-Type: multipart/alternative;\r\n boundary=\"{}\"\r\n\r\n", boundary);
  const auto part = [&](std::string_view type, std::string_view text) {
    mail += fmt::format(
        "--{}\r\nContent-Type: {}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
        boundary, type);
    mail += quoted_printable(text);
  };
  part("text/plain", shipment.rows.size() == 1 ? text_of(first) : digest_text(shipment.rows));
  part("text/html", render_email_html(shipment));
  mail += fmt::format("--{}--\r\n", boundary);
  return mail;
}

}  // namespace vigil::notify
