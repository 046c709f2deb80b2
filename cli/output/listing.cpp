#include "cli/output/listing.h"

#include "common/text/exposition.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>

namespace vigil::cli {
namespace {

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

/// What an outside name must not do to a terminal or a table: control characters become spaces.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return out;
}

std::string render_table(const Listing& listing, Colours colours) {
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < listing.columns.size(); ++i) {
    if (!listing.columns[i].title.empty()) shown.push_back(i);
  }
  if (listing.rows.empty()) return listing.empty_note + '\n';
  std::vector<std::size_t> widths(listing.columns.size());
  for (const std::size_t i : shown) widths[i] = display_width(listing.columns[i].title);
  for (const auto& row : listing.rows) {
    for (const std::size_t i : shown) widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  std::string out;
  const auto put = [&](std::size_t column, std::string_view text, Style style, std::string& line) {
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
  if (const auto* text = std::get_if<std::string>(&cell.value))
    return boost::json::serialize(boost::json::string(*text));
  if (const auto* whole = std::get_if<std::int64_t>(&cell.value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&cell.value)) {
    if (std::isfinite(*real)) return format_value(*real);
    return '"' + format_value(*real) + '"';  // JSON has no NaN; the Prometheus API writes it so, too
  }
  return "null";
}

std::string render_json(const Listing& listing) {
  std::string out = "[";
  for (const auto& row : listing.rows) {
    out += out.size() == 1 ? "\n  {" : ",\n  {";
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += ',';
      out += '"' + listing.columns[i].key + "\":" + to_json(row[i]);
    }
    out += '}';
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
  if (const auto* whole = std::get_if<std::int64_t>(&cell.value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&cell.value)) return format_value(*real);
  return "";
}

std::string render_csv(const Listing& listing) {
  std::string out;
  for (std::size_t i = 0; i < listing.columns.size(); ++i) {
    if (i > 0) out += ',';
    append_csv(out, listing.columns[i].key);
  }
  out += '\n';
  for (const auto& row : listing.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += ',';
      append_csv(out, csv_text(row[i]));
    }
    out += '\n';
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

Cell Cell::of(std::string text, Style style) {
  return Cell{text, text, style};
}
Cell Cell::number(std::int64_t value, Style style) {
  return Cell{value, std::to_string(value), style};
}
Cell Cell::number(double value, std::string text, Style style) {
  return Cell{value, std::move(text), style};
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

std::string render(const Listing& listing, Format format, Colours colours) {
  switch (format) {
    case Format::json:
      return render_json(listing);
    case Format::csv:
      return render_csv(listing);
    case Format::table:
      break;
  }
  return render_table(listing, colours);
}

}  // namespace vigil::cli
