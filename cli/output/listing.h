// Rows with named columns, printed as a table for people, or as JSON or CSV for programs. Every command fills
// one of these, so all of them speak all three forms.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::cli {

enum class Format : std::uint8_t { table, json, csv };
Result<Format> parse_format(std::string_view text);

/// How a cell looks on a colour terminal; says nothing in JSON and CSV.
enum class Style : std::uint8_t { plain, good, warning, bad, faint, bold };

/// A value twice: as it is, for programs, and as people read it.
struct Cell {
  std::variant<std::monostate, std::string, double, std::int64_t>
      value;  // monostate: unknown; null in JSON, empty in CSV
  std::string text;
  Style style = Style::plain;

  static Cell of(std::string text, Style style = Style::plain);
  static Cell number(std::int64_t value, Style style = Style::plain);
  /// Shown as `text` to people.
  static Cell number(double value, std::string text, Style style = Style::plain);
  static Cell unknown() { return Cell{{}, "-", Style::faint}; }
};

enum class Align : std::uint8_t { left, right };

struct Column {
  std::string key;    // in JSON and CSV, snake_case with the unit
  std::string title;  // in tables; empty: the column is for programs only
  Align align = Align::left;
};

struct Listing {
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  std::string empty_note;  // what a table says when there are no rows
};

/// Terminal colours, or none of them.
enum class Colours : std::uint8_t { never, always };
/// always when standard output is a terminal and NO_COLOR is unset.
Colours detect_colours();
std::string paint(std::string_view text, Style style, Colours colours);

std::string render(const Listing& listing, Format format, Colours colours);

/// Columns a UTF-8 text takes on a terminal: code points, as names here have no double-width ones worth a
/// table.
std::size_t display_width(std::string_view text);

}  // namespace vigil::cli
