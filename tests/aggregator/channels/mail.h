// A mail read back: headers unfolded and decoded, parts by their types.
#pragma once

#include "tests/support/catch.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace vigil::test {

struct Mail {
  std::map<std::string, std::string> headers;  // by name; a name that is there twice fails the test
  std::map<std::string, std::string> parts;    // "text/plain" -> its text, lines with LF
};

inline std::string decode_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) break;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xFF);
  }
  return out;
}

inline std::string decode_words(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.starts_with("=?UTF-8?B?")) {
      const std::size_t end = text.find("?=");
      REQUIRE(end != std::string_view::npos);
      out += decode_base64(text.substr(10, end - 10));
      text.remove_prefix(end + 2);
      if (text.starts_with(" =?")) text.remove_prefix(1);  // between two of them a blank is nothing
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

inline std::string decode_quoted_printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.starts_with("=\r\n")) {
      text.remove_prefix(3);
    } else if (text.front() == '=') {
      out += static_cast<char>(std::stoi(std::string(text.substr(1, 2)), nullptr, 16));
      text.remove_prefix(3);
    } else {
      if (text.front() != '\r') out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

inline std::map<std::string, std::string> read_headers(std::string_view text) {
  std::map<std::string, std::string> out;
  std::string line;
  const auto finish = [&] {
    if (line.empty()) return;
    const std::size_t colon = line.find(": ");
    INFO(line);
    REQUIRE(colon != std::string::npos);
    CHECK(out.emplace(line.substr(0, colon), decode_words(line.substr(colon + 2))).second);
    line.clear();
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\r\n"), text.size());
    const std::string_view next = text.substr(0, end);
    CHECK(next.find_first_of("\r\n") == std::string_view::npos);
    if (!next.starts_with(' ')) finish();
    line += next;
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  finish();
  return out;
}

inline Mail read_mail(std::string_view body) {
  Mail mail;
  const std::size_t head = body.find("\r\n\r\n");
  REQUIRE(head != std::string_view::npos);
  mail.headers = read_headers(body.substr(0, head));
  const std::string& type = mail.headers.at("Content-Type");
  const std::size_t begin = type.find("boundary=\"");
  REQUIRE(begin != std::string::npos);
  const std::string boundary = "--" + type.substr(begin + 10, type.size() - begin - 11);
  body.remove_prefix(head + 2);
  while (true) {
    const std::size_t next = body.find("\r\n" + boundary);
    REQUIRE(next != std::string_view::npos);
    body.remove_prefix(next + 2 + boundary.size());
    if (body.starts_with("--\r\n")) {
      CHECK(body.size() == 4);
      return mail;
    }
    const std::size_t blank = body.find("\r\n\r\n");
    REQUIRE(blank != std::string_view::npos);
    const auto headers = read_headers(body.substr(2, blank - 2));
    const std::size_t end = body.find("\r\n" + boundary);
    REQUIRE(end != std::string_view::npos);
    const std::string& part = headers.at("Content-Type");
    mail.parts[part.substr(0, part.find(';'))] =
        decode_quoted_printable(body.substr(blank + 4, end - blank - 4));
  }
}

}  // namespace vigil::test
