// Rows with named columns, printed as a table for people, or as JSON or CSV for programs. Every command fills
// one of these, so all of them speak all three forms.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace vigil::cli {

enum class Format : std::uint8_t { table, json, csv };
Result<Format> parse_format(std::string_view text);

/// How a cell looks on a colour terminal; says nothing in JSON and CSV.
enum class Style : std::uint8_t { plain, good, warning, bad, faint, bold };

/// Names and values of one thing, such as the labels of a series: an object in JSON.
using Object = std::vector<std::pair<std::string, std::string>>;

/// A value twice: as it is, for programs, and as people read it.
struct Cell {
  std::variant<std::monostate, std::string, double, std::int64_t, Object>
      value;  // monostate: unknown; null in JSON, empty in CSV
  std::string text;
  Style style = Style::plain;

  static Cell of(std::string text, Style style = Style::plain);
  static Cell number(std::int64_t value, Style style = Style::plain);
  /// Shown as `text` to people.
  static Cell number(double value, std::string text, Style style = Style::plain);
  static Cell unknown() { return Cell{{}, "–", Style::faint}; }
  /// For JSON only.
  static Cell object(Object object) { return Cell{std::move(object), {}, Style::plain}; }
};

enum class Align : std::uint8_t { left, right };
/// What becomes of a column when the table is wider than the terminal.
enum class Fit : std::uint8_t { whole, cut };
/// Who is shown a column besides the tables that have a title for it.
enum class Programs : std::uint8_t { json_and_csv, json };

struct Column {
  std::string key;    // in JSON and CSV, snake_case with the unit
  std::string title;  // in tables; empty: the column is for programs only
  Align align = Align::left;
  Fit fit = Fit::whole;
  Programs programs = Programs::json_and_csv;
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

/// `width`: columns a table may take, its Fit::cut columns are shortened for it; 0: any number.
std::string render(const Listing& listing, Format format, Colours colours, std::size_t width = 0);
/// Columns of the terminal, or 0 when standard output is none.
std::size_t terminal_width();

/// Columns a UTF-8 text takes on a terminal: code points, as names here have no double-width ones worth a
/// table.
std::size_t display_width(std::string_view text);

}  // namespace vigil::cli
