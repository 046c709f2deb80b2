// Making text fit where it goes: lengths as services count them, and characters that mean nothing to their
// markup.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vigil::channels {

/// UTF-16 code units: what Discord, Telegram and JavaScript at large mean by characters.
std::size_t length_in_units(std::string_view text);
/// At most so many of them, with "…" when something was cut.
std::string cut_units(std::string_view text, std::size_t units);

/// `\` before each character that is markup in Markdown; of Discord and Teams.
std::string markdown_escape(std::string_view text);

/// What a reader of HTML sees: without tags, entities resolved.
std::string without_markup(std::string_view html);

}  // namespace vigil::channels
