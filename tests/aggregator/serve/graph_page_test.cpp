#include "aggregator/serve/graph_page.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

promql::LabelsPtr labels(const char* value) {
  return std::make_shared<const Labels>(Labels{{"__name__", "up"}, {"instance", value}});
}

bool has(const http::Response& page, std::string_view text) {
  return page.body.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("an expression's page has it with its value, and nothing of either becomes markup") {
  const promql::Value value{promql::Vector{{labels("<script>alert(1)</script>"), 0, 0.5}},
                            {{"<i>careful</i>"}, {}}};
  const auto page = graph_page("up{a=\"</pre><b>\"} < 1 & 'x'", value);
  CHECK(page.status == 200);
  CHECK(has(page, "&lt;/pre&gt;&lt;b&gt;"));
  CHECK(has(page, "&lt; 1 &amp; &#39;x&#39;</pre>"));
  CHECK(has(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
  CHECK(has(page, "<td>0.5</td>"));
  CHECK(has(page, "&lt;i&gt;careful"));
  CHECK_FALSE(has(page, "<script"));
  CHECK_FALSE(has(page, "<b>"));
  CHECK_FALSE(has(page, "<i>"));
  CHECK(has(page, "href=\"alerts/\""));
  CHECK(page.headers.at(0).first == "Content-Security-Policy");
}

TEST_CASE("what an expression gives is told whatever its type, and an error as text") {
  CHECK(has(graph_page("1", promql::Value{promql::Scalar{0, 1.5}, {}}), "<p>1.5</p>"));
  CHECK(has(graph_page("\"<b>\"", promql::Value{promql::String{0, "<b>"}, {}}), "<p>&lt;b&gt;</p>"));
  CHECK(has(graph_page("up", promql::Value{promql::Vector{}, {}}), "gives nothing"));
  const promql::Matrix matrix{{labels("a"), {{1, 1}, {2, 7}}}, {labels("b"), {}}};
  CHECK(has(graph_page("up[5m]", promql::Value{matrix, {}}), "<td>7</td>"));
  const auto wrong = graph_page("<", fail(Errc::parse, "1:1: unexpected <"));
  CHECK(wrong.status == 400);
  CHECK(has(wrong, "<p>1:1: unexpected &lt;</p>"));
  CHECK(graph_page("up", fail(Errc::timeout, "too slow")).status == 503);
  const promql::Vector many(2000, promql::Sample{labels("a"), 0, 1});
  CHECK(has(graph_page("up", promql::Value{many, {}}), "and 1500 more"));
}
