// YAML texts whose last quote nobody closed. The YAML library takes the end of the text as the end of the
// quote, so that one forgotten '"' swallows the rest of a file in silence.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace vigil::config {

/// Where the quote stands that is never closed. Columns count bytes, as the library's do.
struct OpenQuote {
  std::size_t line = 0;  // from 1
  std::size_t column = 0;
};

/// Of a text that the library takes for valid YAML. Reads it once more; throws what the library throws.
std::optional<OpenQuote> find_open_quote(std::string_view text);

}  // namespace vigil::config
