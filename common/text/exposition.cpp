#include "common/text/exposition.h"

#include <fmt/format.h>

#include <cmath>

namespace vigil {
namespace {

enum class Quotes : bool { keep, escape };

void append_escaped(std::string& out, std::string_view text, Quotes quotes) {
  for (const char c : text) {
    if (c == '\\' || (quotes == Quotes::escape && c == '"')) out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string format_value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_family(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
  if (!help.empty()) {
    out += "# HELP ";
    out += name;
    out += ' ';
    append_escaped(out, help, Quotes::keep);
    out += '\n';
  }
  out += "# TYPE ";
  out += name;
  out += ' ';
  out += type == "unknown" ? "untyped" : type;  // this format's word for it; OpenMetrics has the other
  out += '\n';
}

void append_sample(std::string& out, std::string_view name, const Labels& labels, double value) {
  append_sample_as_is(out, name, std::vector<LabelView>(labels.begin(), labels.end()), value);
}

void append_sample_as_is(std::string& out, std::string_view name, std::span<const LabelView> labels,
                         double value) {
  out += name;
  if (!labels.empty()) {
    char separator = '{';
    for (const LabelView& label : labels) {
      out += separator;
      out += label.name;
      out += "=\"";
      append_escaped(out, label.value, Quotes::escape);
      out += '"';
      separator = ',';
    }
    out += '}';
  }
  out += ' ';
  out += format_value(value);
  out += '\n';
}

}  // namespace vigil
