#include "aggregator/channels/html_output.h"

#include "aggregator/rules/go_format.h"
#include "common/text/ascii.h"
#include "common/text/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
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

/// Where in the markup a value comes to stand.
enum class Context : std::uint8_t { text, quoted, quoted_link, unquoted, unquoted_link };

bool ends_with_word(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  text.remove_prefix(text.size() - word.size());
  return std::equal(text.begin(), text.end(), word.begin(),
                    [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

bool is_link(std::string_view name) {
  while (name.ends_with(' ') || name.ends_with('=')) name.remove_suffix(1);
  return ends_with_word(name, "href") || ends_with_word(name, "src") || ends_with_word(name, "action");
}

/// Looks back to the tag that is not closed yet, if there is one.
Context context_of(std::string_view before) {
  const std::size_t open = before.rfind('<');
  if (open == std::string_view::npos) return Context::text;
  std::string_view tag = before.substr(open);
  char quote = 0;
  std::size_t quoted_from = 0;
  for (std::size_t i = 1; i < tag.size(); ++i) {
    if (quote != 0) {
      if (tag[i] == quote) quote = 0;
    } else if (tag[i] == '"' || tag[i] == '\'') {
      quote = tag[i];
      quoted_from = i;
    } else if (tag[i] == '>') {
      return Context::text;
    }
  }
  if (quote == 0) {
    const bool begins = tag.ends_with('=');
    return begins && is_link(tag) ? Context::unquoted_link : Context::unquoted;
  }
  const bool begins = quoted_from + 1 == tag.size();
  return begins && is_link(tag.substr(0, quoted_from)) ? Context::quoted_link : Context::quoted;
}

/// Of "javascript:alert(1)" and the like. Text without a scheme is a link within the page.
bool leads_astray(std::string_view url) {
  const std::size_t colon = url.find_first_of(":/?#");
  if (colon == std::string_view::npos || url[colon] != ':') return false;
  constexpr std::array<std::string_view, 4> kSchemes = {"http", "https", "mailto", "tel"};
  return std::none_of(kSchemes.begin(), kSchemes.end(), [&](std::string_view scheme) {
    return colon == scheme.size() && ends_with_word(url.substr(0, colon), scheme);
  });
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

TemplateValue trusted(std::string text, Trust trust) {
  return TemplateValue(std::make_shared<const Trusted>(std::move(text), trust));
}

std::string html_output(std::string_view before, const TemplateValue& value) {
  const Trusted* safe = trusted_of(value);
  const bool is_nothing = std::holds_alternative<std::monostate>(value);
  std::string text = is_nothing ? std::string() : rules::go_print(value);
  const Context context = context_of(before);
  if (safe != nullptr && safe->trust() == Trust::html && context == Context::text) return text;
  const bool in_link = context == Context::quoted_link || context == Context::unquoted_link;
  if (in_link && leads_astray(text) && (safe == nullptr || safe->trust() != Trust::url)) return "#";
  const bool unquoted = context == Context::unquoted || context == Context::unquoted_link;
  return unquoted ? unquoted_escape(text) : html_escape(text);
}

}  // namespace vigil::channels
