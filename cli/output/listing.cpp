#include "cli/output/listing.h"

#include "common/text/exposition.h"
#include "common/text/utf8.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>

namespace vigil::cli {
namespace {

std::string_view word_of(bool value) {
  return value ? "true" : "false";
}

std::string_view escape_of(Style style) {
  switch (style) {
    case Style::good:
      return "\x1b[32m";
    case Style::warning:
      return "\x1b[33m";
    case Style::bad:
      return "\x1b[31;1m";
    case Style::faint:
      return "\x1b[2m";
    case Style::bold:
      return "\x1b[1m";
    case Style::plain:
      break;
  }
  return "";
}

constexpr std::size_t kBetween = 2;

using Columns = std::vector<std::size_t>;

/// As wide as the widest cell.
std::vector<std::size_t> natural_widths(const Listing& listing) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < listing.columns.size(); ++i) {
    std::size_t& width = widths.emplace_back(display_width(listing.columns[i].title));
    for (const auto& row : listing.rows) width = std::max(width, display_width(row[i].text));
  }
  return widths;
}

/// What columns take that are shortened as far as they may be.
std::size_t least_room(const Listing& listing, const Columns& shown, const std::vector<std::size_t>& widths) {
  std::size_t total = shown.empty() ? 0 : (shown.size() - 1) * kBetween;
  for (const std::size_t i : shown)
    total +=
        listing.columns[i].fit == Fit::cut ? std::min(widths[i], listing.columns[i].narrowest) : widths[i];
  return total;
}

/// Leaves out columns that nobody misses most until the others fit.
void drop_least(const Listing& listing, const std::vector<std::size_t>& widths, std::size_t room,
                Columns& shown) {
  while (least_room(listing, shown, widths) > room) {
    auto least = shown.begin();
    for (auto at = shown.begin(); at != shown.end(); ++at) {  // of equals the last one goes
      if (listing.columns[*at].fit >= listing.columns[*least].fit) least = at;
    }
    if (least == shown.end() || listing.columns[*least].fit < Fit::important) return;
    shown.erase(least);
  }
}

void shorten(const Listing& listing, const Columns& shown, std::size_t room,
             std::vector<std::size_t>& widths) {
  std::size_t total = (shown.size() - 1) * kBetween;
  for (const std::size_t i : shown) total += widths[i];
  while (total > room) {  // the widest first, so that a name does not pay for a long text
    std::size_t* widest = nullptr;
    for (const std::size_t i : shown) {
      if (listing.columns[i].fit != Fit::cut || widths[i] <= listing.columns[i].narrowest) continue;
      if (widest == nullptr || widths[i] > *widest) widest = &widths[i];
    }
    if (widest == nullptr) return;
    --*widest;
    --total;
  }
}

/// Columns with a title and something in them.
Columns shown_columns(const Listing& listing) {
  Columns shown;
  for (std::size_t i = 0; i < listing.columns.size(); ++i) {
    const bool has_text = std::any_of(listing.rows.begin(), listing.rows.end(),
                                      [i](const auto& row) { return !row[i].text.empty(); });
    if (!listing.columns[i].title.empty() && has_text) shown.push_back(i);
  }
  return shown;
}

std::string render_table(const Listing& listing, Colours colours, std::size_t room) {
  if (listing.rows.empty()) return listing.empty_note + '\n';
  Columns shown = shown_columns(listing);
  if (shown.empty()) return "";
  std::vector<std::size_t> widths = natural_widths(listing);
  if (room > 0) {
    drop_least(listing, widths, room, shown);
    shorten(listing, shown, room, widths);
  }
  std::string out;
  const auto put = [&](std::size_t column, std::string_view whole, Style style, std::string& line) {
    const std::string text = shortened(whole, widths[column]);
    const std::string padding(widths[column] - std::min(widths[column], display_width(text)), ' ');
    if (!line.empty()) line += "  ";
    const bool right = listing.columns[column].align == Align::right;
    if (right) line += padding;
    line += paint(printable(text), style, colours);
    if (!right && column != shown.back()) line += padding;
  };
  std::string line;
  for (const std::size_t i : shown) put(i, listing.columns[i].title, Style::faint, line);
  out += line + '\n';
  for (const auto& row : listing.rows) {
    line.clear();
    for (const std::size_t i : shown) put(i, row[i].text, row[i].style, line);
    out += line + '\n';
  }
  return out;
}

/// Numbers by format_value: Boost.JSON would write 0.5 as 5E-1.
std::string to_json(const Cell& cell) {
  if (const auto* object = std::get_if<Object>(&cell.value)) {
    boost::json::object out;
    for (const auto& [name, value] : *object) out[name] = value;
    return boost::json::serialize(out);
  }
  if (const auto* list = std::get_if<List>(&cell.value)) {
    boost::json::array out;
    for (const std::string& text : list->texts) out.emplace_back(text);
    return boost::json::serialize(out);
  }
  if (const auto* numbers = std::get_if<Integers>(&cell.value))
    return fmt::format("[{}]", fmt::join(numbers->values, ","));
  if (const auto* json = std::get_if<Json>(&cell.value)) return json->text;
  if (const auto* text = std::get_if<std::string>(&cell.value))
    return boost::json::serialize(boost::json::string(*text));
  if (const auto* flag = std::get_if<bool>(&cell.value)) return std::string(word_of(*flag));
  if (const auto* whole = std::get_if<std::int64_t>(&cell.value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&cell.value)) {
    if (std::isfinite(*real)) return format_value(*real);
    return '"' + format_value(*real) + '"';  // JSON has no NaN; the Prometheus API writes it so, too
  }
  return "null";
}

/// Rows of a name and a value, as one object.
std::string render_object(const Listing& listing) {
  std::string out = "{";
  for (const auto& row : listing.rows) {
    out += out.size() == 1 ? "\n  " : ",\n  ";
    out += to_json(row[0]) + ": " + to_json(row[1]);
  }
  return out + "\n}\n";
}

std::string json_row(const Listing& listing, const std::vector<Cell>& row) {
  std::string out = "{";
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i > 0) out += ',';
    out += '"' + listing.columns[i].key + "\":" + to_json(row[i]);
  }
  return out + '}';
}

std::string render_json(const Listing& listing) {
  if (listing.shape == Shape::pairs) return render_object(listing);
  std::string out = "[";
  for (const auto& row : listing.rows) {
    out += out.size() == 1 ? "\n  " : ",\n  ";
    out += json_row(listing, row);
  }
  return out + (listing.rows.empty() ? "]\n" : "\n]\n");
}

void append_csv(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';  // RFC 4180
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

std::string csv_text(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell.value)) return *text;
  if (const auto* flag = std::get_if<bool>(&cell.value)) return std::string(word_of(*flag));
  if (const auto* whole = std::get_if<std::int64_t>(&cell.value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&cell.value)) return format_value(*real);
  if (const auto* list = std::get_if<List>(&cell.value))
    return fmt::format("{}", fmt::join(list->texts, "; "));
  if (const auto* numbers = std::get_if<Integers>(&cell.value))
    return fmt::format("{}", fmt::join(numbers->values, "; "));
  return std::holds_alternative<std::monostate>(cell.value) ? "" : to_json(cell);
}

/// `text_of(i)` of each column for everybody.
template <class TextOf>
std::string csv_line(const Listing& listing, TextOf text_of) {
  std::string line;
  for (std::size_t i = 0; i < listing.columns.size(); ++i) {
    if (listing.columns[i].programs == Programs::json) continue;
    if (i > 0) line += ',';
    append_csv(line, text_of(i));
  }
  return line + '\n';
}

std::string csv_rows(const Listing& listing) {
  std::string out;
  for (const auto& row : listing.rows)
    out += csv_line(listing, [&row](std::size_t i) { return csv_text(row[i]); });
  return out;
}

std::string table_rows(const Listing& listing, Colours colours) {
  std::string out;
  for (const auto& row : listing.rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (listing.columns[i].title.empty()) continue;
      if (!line.empty()) line += "  ";
      line += paint(printable(row[i].text), row[i].style, colours);
    }
    out += line + '\n';
  }
  return out;
}

}  // namespace

Result<Format> parse_format(std::string_view text) {
  if (text == "table") return Format::table;
  if (text == "json") return Format::json;
  if (text == "csv") return Format::csv;
  return fail(Errc::invalid_argument, "'{}' is not an output format; use table, json or csv", text);
}

Listing as_pairs(const Listing& listing) {
  Listing out;
  out.shape = Shape::pairs;
  out.columns = {{"key", ""}, {"value", ""}};
  for (std::size_t i = 0; i < listing.columns.size() && !listing.rows.empty(); ++i)
    out.rows.push_back({Cell::of(listing.columns[i].key), listing.rows.front()[i]});
  return out;
}

Cell nested(const Listing& listing) {
  std::string text = render_json(listing);
  text.pop_back();  // the end of its last line
  return Cell::json(std::move(text));
}

Cell Cell::of(std::string text, Style style) {
  return Cell{text, text, style};
}
Cell Cell::number(std::int64_t value, Style style) {
  return Cell{value, std::to_string(value), style};
}
Cell Cell::number(double value, std::string text, Style style) {
  return Cell{value, std::move(text), style};
}
Cell Cell::flag(bool value) {
  return Cell{value, std::string(word_of(value)), Style::plain};
}

Colours detect_colours() {
  return ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr ? Colours::always
                                                                            : Colours::never;
}

std::string paint(std::string_view text, Style style, Colours colours) {
  if (colours == Colours::never || style == Style::plain) return std::string(text);
  return std::string(escape_of(style)) + std::string(text) + "\x1b[0m";
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++width;  // not a continuation byte
  }
  return width;
}

std::string shortened(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::size_t end = 0;
  for (std::size_t cells = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && ++cells == std::max<std::size_t>(width, 1)) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::size_t terminal_width() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

std::string csv_header(const Listing& listing) {
  return csv_line(listing, [&listing](std::size_t i) -> std::string_view { return listing.columns[i].key; });
}

std::string render_more(const Listing& listing, Format format, Colours colours) {
  if (format == Format::csv) return csv_rows(listing);
  if (format == Format::table) return table_rows(listing, colours);
  std::string out;
  for (const auto& row : listing.rows) out += json_row(listing, row) + '\n';
  return out;
}

std::string render(const Listing& listing, Format format, Colours colours, std::size_t width) {
  switch (format) {
    case Format::json:
      return render_json(listing);
    case Format::csv:
      return csv_header(listing) + csv_rows(listing);
    case Format::table:
      break;
  }
  return render_table(listing, colours, width);
}

}  // namespace vigil::cli
