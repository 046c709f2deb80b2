#include "aggregator/serve/graph_page.h"

#include "aggregator/serve/page.h"
#include "common/text/html.h"

#include <algorithm>
#include <type_traits>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kMostRows = 500;

std::string paragraph(std::string_view text) {
  return fmt::format("<p>{}</p>\n", html_escape(text));
}

std::string row(std::string_view series, double value) {
  return fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", html_escape(series), promql::format_value(value));
}

/// The newest point of a series of a range is its value of now.
std::string row_of(const promql::Sample& sample) {
  return row(sample.labels->to_string(), sample.v);
}
std::string row_of(const promql::Series& series) {
  return series.points.empty() ? "" : row(series.labels->to_string(), series.points.back().v);
}

template <class All>
std::string table_of(const All& all) {
  if (all.empty()) return paragraph("It gives nothing now.");
  std::string text = "<table>\n<tr><th>series</th><th>value</th></tr>\n";
  const std::size_t shown = std::min(all.size(), kMostRows);
  for (std::size_t i = 0; i < shown; ++i) text += row_of(all[i]);
  text += "</table>\n";
  if (shown < all.size()) text += paragraph(fmt::format("and {} more", all.size() - shown));
  return text;
}

std::string describe(const promql::Value& value) {
  return std::visit(
      [](const auto& data) {
        using Data = std::decay_t<decltype(data)>;
        if constexpr (std::is_same_v<Data, promql::Scalar>) return paragraph(promql::format_value(data.v));
        if constexpr (std::is_same_v<Data, promql::String>) return paragraph(data.v);
        if constexpr (std::is_same_v<Data, promql::Vector> || std::is_same_v<Data, promql::Matrix>)
          return table_of(data);
      },
      value.data);
}

}  // namespace

http::Response graph_page(const std::string& expression, const Result<promql::Value>& value) {
  const std::string ending = "<p><a href=\"alerts/\">Alerts</a></p>\n";
  if (expression.empty())
    return html_page("<h1>Expression</h1>\n<p>None: it stands behind <code>/graph?g0.expr=</code>.</p>\n" +
                     ending);
  std::string content =
      fmt::format("<h1>Expression</h1>\n<pre>{}</pre>\n<h2>Now</h2>\n", html_escape(expression));
  if (value) {
    content += describe(*value);
    for (const std::string& warning : value->annotations.warnings) content += paragraph(warning);
  } else {
    content += paragraph(value.error().message);
  }
  http::Response response = html_page(content + ending);
  if (!value) response.status = http::error_response(value.error()).status;
  return response;
}

}  // namespace vigil::aggregator
