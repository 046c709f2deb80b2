#include "aggregator/channels/html_output.h"

#include "aggregator/rules/go_format.h"
#include "common/text/ascii.h"
#include "common/text/html.h"
#include "common/text/letter_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <span>
#include <utility>
#include <variant>

namespace vigil::channels {
namespace {

using rules::TemplateValue;

class Trusted : public rules::TemplateObject {
 public:
  Trusted(std::string text, Trust trust) : text_(std::move(text)), trust_(trust) {}
  Trust trust() const { return trust_; }
  std::string_view type() const override { return trust_ == Trust::html ? "template.HTML" : "template.URL"; }
  Result<TemplateValue> member(const std::string& name, rules::TemplateArgs /*args*/) const override {
    return no_such_member(*this, name);
  }
  TemplateValue plain() const override { return TemplateValue(text_); }

 private:
  const std::string text_;
  const Trust trust_;
};

const Trusted* trusted_of(const TemplateValue& value) {
  const auto* object = std::get_if<rules::TemplateObjectPtr>(&value);
  return object == nullptr ? nullptr : dynamic_cast<const Trusted*>(object->get());
}

bool ends_with_word(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  text.remove_prefix(text.size() - word.size());
  return is_same_in_any_case(text, word);
}

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [name](std::string_view each) {
    return name.size() == each.size() && ends_with_word(name, each);
  });
}

bool is_link(std::string_view attribute) {
  constexpr std::array<std::string_view, 9> kLinks = {
      "href", "src", "action", "formaction", "xlink:href", "background", "poster", "cite", "data"};
  return is_one_of(attribute, kLinks);
}

/// Their values are programs, styles or documents of their own, which escaping does not make safe.
bool is_code(std::string_view attribute) {
  constexpr std::array<std::string_view, 3> kCode = {"style", "srcset", "srcdoc"};
  const bool is_handler =
      attribute.size() > 2 && is_one_of(attribute.substr(0, 2), std::array{std::string_view("on")});
  return is_handler || is_one_of(attribute, kCode);
}

/// Of "javascript:alert(1)" and the like, with the blanks that browsers overlook. Text without a scheme is a
/// link within the page.
bool leads_astray(std::string_view url) {
  std::string plain;
  for (const char c : url) {
    if (static_cast<unsigned char>(c) > ' ') plain += c;
  }
  const std::size_t colon = plain.find_first_of(":/?#");
  if (colon == std::string::npos || plain[colon] != ':') return false;
  constexpr std::array<std::string_view, 4> kSchemes = {"http", "https", "mailto", "tel"};
  return !is_one_of(std::string_view(plain).substr(0, colon), kSchemes);
}

/// Without quotes around it, only letters and digits end no attribute.
std::string unquoted_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || is_digit(c) || is_letter(c)) {
      out += c;
    } else {
      out += fmt::format("&#{};", byte);
    }
  }
  return out;
}

}  // namespace

void MarkupReader::read(std::string_view text) {
  for (const char c : text) read(c);
}

void MarkupReader::read(char c) {
  const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
  switch (state_) {
    case State::text:
    case State::code:
      tail_ += c;
      if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
      if (state_ == State::code ? tail_.ends_with("</") : c == '<') begin_tag();
      return;
    case State::tag_name:
      if (c == '>') return end_tag();
      if (blank) {
        state_ = State::between;
      } else {
        tag_ += c;
      }
      return;
    case State::between:
      if (c == '>') return end_tag();
      if (c == '=') {
        state_ = State::before_value;
      } else if (blank) {
        ends_name_ = true;
      } else {
        if (std::exchange(ends_name_, false)) attribute_.clear();
        attribute_ += c;
      }
      return;
    case State::before_value:
      if (c == '>') return end_tag();
      if (blank) return;
      value_.clear();
      quote_ = c == '"' || c == '\'' ? c : '\0';
      state_ = State::value;
      if (quote_ == '\0') value_ += c;
      return;
    case State::value:
      if (quote_ == '\0' && c == '>') return end_tag();
      if (quote_ == '\0' ? blank : c == quote_) {
        attribute_.clear();
        state_ = State::between;
      } else {
        value_ += c;
      }
      return;
  }
}

void MarkupReader::begin_tag() {
  state_ = State::tag_name;
  tag_.clear();
  attribute_.clear();
  ends_name_ = false;
  is_end_ = tail_.ends_with("</");
  tail_.clear();
}

/// Behind <script> and <style> comes no markup until their end.
void MarkupReader::end_tag() {
  constexpr std::array<std::string_view, 2> kCode = {"script", "style"};
  state_ = !is_end_ && is_one_of(tag_, kCode) ? State::code : State::text;
}

TemplateValue trusted(std::string text, Trust trust) {
  return TemplateValue(std::make_shared<const Trusted>(std::move(text), trust));
}

std::string HtmlOutput::operator()(std::string_view before, const TemplateValue& value) {
  follow(before);
  const Trusted* safe = trusted_of(value);
  const bool is_nothing = std::holds_alternative<std::monostate>(value);
  std::string text = is_nothing ? std::string() : rules::go_print(value);
  using State = MarkupReader::State;
  switch (reader_.state()) {
    case State::text:
      return safe != nullptr && safe->trust() == Trust::html ? text : html_escape(text);
    case State::code:
      return {};
    case State::tag_name:
    case State::between:
      return unquoted_escape(text);
    case State::before_value:
    case State::value:
      break;
  }
  if (is_code(reader_.attribute())) return {};
  const std::string_view written = reader_.state() == State::value ? reader_.value() : std::string_view();
  const bool is_trusted = safe != nullptr && safe->trust() == Trust::url;
  if (is_link(reader_.attribute()) && !is_trusted && leads_astray(std::string(written) + text))
    return written.empty() ? "#" : "";
  const bool is_quoted = reader_.state() == State::value && reader_.quote() != 0;
  return is_quoted ? html_escape(text) : unquoted_escape(text);
}

/// A text that is written within another one begins anew.
void HtmlOutput::follow(std::string_view before) {
  if (!before.starts_with(seen_)) {
    reader_ = MarkupReader();
    seen_.clear();
  }
  reader_.read(before.substr(seen_.size()));
  seen_ = before;
}

}  // namespace vigil::channels
