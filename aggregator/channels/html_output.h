// Values of templates on their way into HTML: nothing in them can become markup, other than in Go's
// text/template, which would let it.
#pragma once

#include "aggregator/rules/template_object.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::channels {

/// What safeHtml and safeUrl say of a text: that it is meant to be markup, or that its link may lead
/// anywhere.
enum class Trust : std::uint8_t { html, url };
rules::TemplateValue trusted(std::string text, Trust trust);

/// What is written for `value` behind `before`. In a link (href, src) a scheme other than http, https, mailto
/// and tel is left out, for javascript: is one.
std::string html_output(std::string_view before, const rules::TemplateValue& value);

}  // namespace vigil::channels
