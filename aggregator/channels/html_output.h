// Values of templates on their way into HTML: nothing in them can become markup, other than in Go's
// text/template, which would let it.
#pragma once

#include "aggregator/rules/template_object.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::channels {

/// What safeHtml and safeUrl say of a text: that it is meant to be markup, or that its link may lead
/// anywhere.
enum class Trust : std::uint8_t { html, url };
rules::TemplateValue trusted(std::string text, Trust trust);

/// Where in HTML one is, having read it up to there.
class MarkupReader {
 public:
  enum class State : std::uint8_t {
    text,
    code,  // of <script> or <style>
    tag_name,
    between,  // in a tag, outside a value; perhaps in the name of an attribute
    before_value,
    value
  };
  void read(std::string_view text);
  State state() const { return state_; }
  /// Of the value: its attribute, what of it was read, and the quotes around it, 0 for none.
  std::string_view attribute() const { return attribute_; }
  std::string_view value() const { return value_; }
  char quote() const { return quote_; }

 private:
  static constexpr std::size_t kTail = 2;
  void read(char c);
  void begin_tag();
  void end_tag();

  State state_ = State::text;
  bool is_end_ = false;     // the tag is </...
  bool ends_name_ = false;  // a blank behind the attribute's name
  char quote_ = 0;
  std::string tail_;  // of the text
  std::string tag_, attribute_, value_;
};

/// What is written for a value behind the text so far; for one text, from its beginning. In a link (href,
/// src) a scheme other than http, https, mailto and tel is left out, for javascript: is one; in programs and
/// styles nothing is written at all.
class HtmlOutput {
 public:
  std::string operator()(std::string_view before, const rules::TemplateValue& value);

 private:
  void follow(std::string_view before);

  MarkupReader reader_;
  std::string seen_;
};

}  // namespace vigil::channels
