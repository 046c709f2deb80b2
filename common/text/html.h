// Making outside text safe for HTML.
#pragma once

#include <string>
#include <string_view>

namespace vigil {

/// & < > " ' as entities, the quotes by number as Go writes them: neither text nor an attribute in quotes can
/// become markup.
std::string html_escape(std::string_view text);

/// Whether `text` may stand behind href: http or https, one word, nothing that could end the link or hide
/// where it leads.
bool is_web_link(std::string_view text);

}  // namespace vigil
