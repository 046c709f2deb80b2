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

/// Names and values of one thing, such as the labels of a series: an object in JSON, its text in CSV.
using Object = std::vector<std::pair<std::string, std::string>>;
/// Several texts: an array in JSON, one text with semicolons in CSV.
struct List {
  std::vector<std::string> texts;
};

/// Several whole numbers: the same.
struct Integers {
  std::vector<std::int64_t> values;
};
/// What is JSON already, such as rows within a row; in CSV as it is.
struct Json {
  std::string text;
};

/// A value twice: as it is, for programs, and as people read it.
struct Cell {
  std::variant<std::monostate, std::string, double, std::int64_t, bool, Object, List, Integers, Json>
      value;  // monostate: unknown; null in JSON, empty in CSV
  std::string text;
  Style style = Style::plain;

  static Cell of(std::string text, Style style = Style::plain);
  static Cell number(std::int64_t value, Style style = Style::plain);
  /// Shown as `text` to people.
  static Cell number(double value, std::string text, Style style = Style::plain);
  static Cell unknown() { return Cell{{}, "–", Style::faint}; }
  static Cell flag(bool value);
  /// For programs only.
  static Cell object(Object object) { return Cell{std::move(object), {}, Style::plain}; }
  static Cell list(std::vector<std::string> texts) { return Cell{List{std::move(texts)}, {}, Style::plain}; }
  static Cell json(std::string text) { return Cell{Json{std::move(text)}, {}, Style::plain}; }
};

enum class Align : std::uint8_t { left, right };
/// What becomes of a column when the table is wider than the terminal. Before anything is left out, `cut`
/// ones give way; then the least important columns go: `optional` before `useful` before `important`.
enum class Fit : std::uint8_t { whole, cut, important, useful, optional };
/// Who is shown a column besides the tables that have a title for it.
enum class Programs : std::uint8_t { json_and_csv, json };

struct Column {
  std::string key;    // in JSON and CSV, snake_case with the unit
  std::string title;  // in tables; empty: the column is for programs only
  Align align = Align::left;
  Fit fit = Fit::whole;
  Programs programs = Programs::json_and_csv;
  std::size_t narrowest = 16;  // what a Fit::cut column keeps, at least
};

/// `pairs`: rows of a name and a value, one object in JSON.
enum class Shape : std::uint8_t { rows, pairs };

struct Listing {
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  std::string empty_note;  // what a table says when there are no rows
  Shape shape = Shape::rows;
};

/// Terminal colours, or none of them.
enum class Colours : std::uint8_t { never, always };
/// always when standard output is a terminal and NO_COLOR is unset.
Colours detect_colours();
std::string paint(std::string_view text, Style style, Colours colours);

/// `width`: columns a table may take, see Fit; 0: any number. Columns without a text in any row are left out.
std::string render(const Listing& listing, Format format, Colours colours, std::size_t width = 0);
/// Its first row by itself, as one object in JSON; its columns are all named.
Listing as_pairs(const Listing& listing);
/// In JSON, to stand within another one.
Cell nested(const Listing& listing);

/// Rows for something that goes on: in JSON an object a line, in CSV without the line of names, as a table
/// without titles.
std::string render_more(const Listing& listing, Format format, Colours colours);
/// The line of names of a CSV.
std::string csv_header(const Listing& listing);
/// Columns of the terminal, or 0 when standard output is none.
std::size_t terminal_width();

/// Columns a UTF-8 text takes on a terminal: code points, as names here have no double-width ones worth a
/// table.
std::size_t display_width(std::string_view text);
/// At most `width` of them, with "…" when something was cut.
std::string shortened(std::string_view text, std::size_t width);

}  // namespace vigil::cli
