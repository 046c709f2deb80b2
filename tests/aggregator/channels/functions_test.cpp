#include "aggregator/channels/functions.h"

#include "aggregator/channels/html_output.h"
#include "aggregator/channels/template_data.h"
#include "aggregator/rules/template_set.h"
#include "tests/aggregator/channels/messages.h"

namespace vigil::channels {
namespace {

using notify::Kind;
using test::note_of;

notify::Group three() {
  return test::group_of({note_of("web-1"), note_of("web-2"), note_of("web-3", Kind::resolved)});
}

/// The expansion, or "error: ...".
std::string expand(std::string_view text, bool html = false) {
  const auto parsed = rules::TemplateSet(language()).parse(text);
  if (!parsed) return "error: " + parsed.error().message;
  rules::TemplateStart start{.dot = template_data(three(), test::kDashboard), .now_ms = test::kNow};
  if (html) start.write = HtmlOutput();
  const auto out = parsed->expand(start);
  return out ? *out : "error: " + out.error().message;
}

}  // namespace

TEST_CASE("texts see a group as Alertmanager shows it") {
  const auto f = [](std::string_view text, std::string_view expanded) {
    INFO(text);
    CHECK(expand(text) == expanded);
  };
  f("{{ .Receiver }} {{ .Status }} {{ .ExternalURL }}", "ops firing https://vigil.example/");
  f("{{ len .Alerts }} {{ .Alerts.Firing | len }} {{ .Alerts.Resolved | len }}", "3 2 1");
  f("{{ range .Alerts }}{{ .Labels.instance }},{{ end }}", "web-1,web-2,web-3,");
  f("{{ range $i, $a := .Alerts.Firing }}{{ $i }}{{ $a.Status }} {{ end }}", "0firing 1firing ");
  f("{{ (index .Alerts 2).EndsAt.Format \"15:04\" }} {{ (index .Alerts 0).EndsAt.IsZero }}", "14:10 true");
  f("{{ with index .Alerts 0 }}{{ .StartsAt }} {{ .Fingerprint }} {{ .GeneratorURL }}{{ end }}",
    "2026-11-21 14:00:05 +0000 UTC 00000000000web-1 https://vigil.example/alerts/00000000000web-1");
  f("{{ .GroupLabels.alertname }} {{ .CommonLabels.team }} [{{ .CommonLabels.instance }}]", "HighCpu web []");
  f("{{ .CommonAnnotations.value }}", "93.1%");
  f("{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
    "alertname=HighCpu severity=critical team=web ");
  f("{{ .CommonLabels.SortedPairs.Values | join \" \" }}", "HighCpu critical web");
  f("{{ .CommonLabels.Names | join \",\" }}", "alertname,severity,team");
  f("{{ (.CommonLabels.Remove (stringSlice \"team\" \"severity\")).Names | join \",\" }}", "alertname");
  f("{{ (.CommonLabels.Remove .GroupLabels.Names).Values | join \",\" }}", "critical,web");
  f("{{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join \" \" }}{{ end }}", "critical web");
  f("{{ if gt (len .CommonLabels) (len .GroupLabels) }}{{ $first := index .Alerts 0 }}{{ $first.Labels.team "
    "}}{{ end }}",
    "web");
  f("{{ \"2006\" | (index .Alerts 0).StartsAt.Format }}", "2026");
  f("{{ range $k, $v := .GroupLabels }}{{ $k }}={{ $v }}{{ end }}", "alertname=HighCpu");
  f("{{ index .GroupLabels \"alertname\" }} {{ len .GroupLabels }} {{ .GroupLabels }}",
    "HighCpu 1 map[alertname:HighCpu]");
  f("{{ if .CommonLabels.nothing }}yes{{ else }}no{{ end }}", "no");
  f("{{ with .GroupLabels }}{{ $.Receiver }}{{ end }}", "ops");
}

TEST_CASE("texts see beside that what only vigil knows") {
  CHECK(expand("{{ .Severity }} {{ .Color }}") == "Critical #d32f2f");
  CHECK(expand("{{ with index .Alerts 2 }}{{ .Title }}|{{ .Host }}|{{ .Value }}|{{ .Lasted }}|{{ .Summary }}"
               "{{ end }}") == "HighCpu on web-3|web-3|93.1%|12m 5s|CPU of web-3 is 93% busy");
}

TEST_CASE("texts call the functions Alertmanager documents") {
  const auto f = [](std::string_view text, std::string_view expanded) {
    INFO(text);
    CHECK(expand(text) == expanded);
  };
  f(R"({{ toUpper "a" }}{{ "B" | toLower }}{{ title "CRITICAL error" }})", "AbCritical Error");
  f("{{ trimSpace \" a b \\n\" }}", "a b");
  f(R"({{ join "," (stringSlice "a" "b") }})", "a,b");
  f(R"({{ match "^a.c$" "abc" }} {{ reReplaceAll "b+" "-" "abbc" }})", "true a-c");
  f(R"({{ "a%20b+c" | urlUnescape }})", "a b c");
  f(R"({{ urlUnescape "%zz" }})", "error: error calling urlUnescape: invalid URL escape \"%zz\"");
  f(R"({{ (index .Alerts 0).StartsAt | date "2006-01-02 15:04" }})", "2026-11-21 14:00");
  f(R"({{ (index .Alerts 0).StartsAt | tz "Europe/Berlin" | date "15:04 -0700" }})", "15:00 +0100");
  f(R"({{ (index .Alerts 0).StartsAt | since | humanizeDuration }})", "1s");
  f(R"({{ since (index .Alerts 0).StartsAt }} {{ (since (index .Alerts 0).StartsAt).Seconds }})", "1s 1");
  f(R"({{ humanizeDuration 3723 }})", "1h 2m 3s");
  f(R"({{ .GroupLabels | toJson }} {{ toJson (stringSlice "<a>") }})",
    R"({"alertname":"HighCpu"} ["\u003ca\u003e"])");
  f(R"({{ (index .Alerts 0).StartsAt | toJson }})", R"("2026-11-21T14:00:05Z")");
  f(R"({{ printf "%s has %d" .Status (len .Alerts) }} {{ eq .Status "firing" }})", "firing has 3 true");
  f(R"({{ (index .Alerts 0).StartsAt.Unix }} {{ (index .Alerts 0).StartsAt.UTC.Format "2006" }})",
    "1795269605 2026");
  f(R"({{ (index .Alerts 0).StartsAt.Before (index .Alerts 2).EndsAt }})", "true");
  f(R"({{ define "x" }}<{{ . }}>{{ end }}{{ template "x" .Status }})", "<firing>");
  f(R"({{ slackLines "one" }} {{ slackLines "*a*\n> b" }})", "one >∗a∗\n>\u2060&gt; b");
  f(R"({{ slackEscape "<!channel> &" }} {{ markdownEscape "a_b*" }})", "&lt;!channel&gt; &amp; a\\_b\\*");
}

TEST_CASE("what Alertmanager does not know is unknown in its texts, and the other way round") {
  CHECK(expand("{{ query \"up\" }}") == "error: function \"query\" not defined");
  CHECK(test::has(expand("{{ $labels.x }}"), "undefined variable \"$labels\""));
  CHECK(test::has(expand("{{ humanize 1.0 }}"), "not defined"));
  CHECK(expand("{{ .Nothing }}") == "error: can't evaluate field Nothing in type Data");
  CHECK(expand("{{ (index .Alerts 0).Nothing }}") == "error: can't evaluate field Nothing in type Alert");
  CHECK(test::has(expand("{{ template \"x\" . }}"), "template \"x\" not defined"));
  for (const char* function :
       {"join", "trimSpace", "toJson", "stringSlice", "date", "tz", "since", "safeUrl"}) {
    INFO(function);
    CHECK_FALSE(rules::Template::parse(fmt::format("{{{{ {} 1 2 }}}}", function)));
  }
  CHECK_FALSE(rules::Template::parse("{{ .Labels.Remove 1 }}"));
}

TEST_CASE("values in HTML become no markup unless they are said to be safe") {
  const auto f = [](std::string_view text, std::string_view expanded) {
    INFO(text);
    CHECK(expand(text, true) == expanded);
  };
  f(R"({{ "<b>&\"'" }})", "&lt;b&gt;&amp;&#34;&#39;");
  f(R"({{ "<b>" | safeHtml }} {{ "<b>" | html }})", "<b> &lt;b&gt;");
  f(R"x(<a href="{{ "javascript:alert(1)" }}">)x", R"x(<a href="#">)x");
  f(R"x(<a HREF='{{ " JavaScript:alert(1)" }}'>)x", R"x(<a HREF='#'>)x");
  f(R"(<a href="{{ "https://a/?b=1&c" }}">)", R"(<a href="https://a/?b=1&amp;c">)");
  f(R"(<a href="{{ "ssh:x" | safeUrl }}">)", R"(<a href="ssh:x">)");
  f(R"(<a title={{ "a onclick=b" }}>)", "<a title=a&#32;onclick&#61;b>");
  f(R"(<i title="{{ "<b>" | safeHtml }}">)", R"(<i title="&lt;b&gt;">)");
}

TEST_CASE("a regular expression's replacement is Go's") {
  const auto f = [](std::string_view text, std::string_view expanded) {
    INFO(text);
    CHECK(expand(text) == expanded);
  };
  f("{{ reReplaceAll `(w)(eb)` `$2x$1` `web` }}", "w");  // the first name is 2x
  f("{{ reReplaceAll `(w)(eb)` `${2}x$1` `web` }}", "ebxw");
  f("{{ reReplaceAll `(?P<n>w)eb` `${n}!$n` `web` }}", "w!w");
  f("{{ reReplaceAll `e` `$$` `web` }}{{ reReplaceAll `e` `${` `web` }}{{ reReplaceAll `e` `$-` `web` }}",
    "w$bw${bw$-b");
}

TEST_CASE("a text that takes too long ends") {
  const auto said = expand(
      "{{ define `r` }}{{ if lt (len .) 30 }}{{ $x := match `\\pL{25}z$` `bbbb` }}{{ template `r` (printf "
      "`%sx` .) }}"
      "{{ template `r` (printf `%sx` .) }}{{ end }}{{ end }}{{ template `r` `` }}");
  CHECK(said.find("takes longer than 500 ms") != std::string::npos);
}

TEST_CASE("no value becomes markup, a program or a link that is one, wherever it stands") {
  const auto f = [](std::string_view text, std::string_view expanded) {
    INFO(text);
    CHECK(expand(text, true) == expanded);
  };
  f("<a href='{{ `javascript` }}{{ `:alert(1)` }}'>", "<a href='javascript'>");
  f("<a href=\n'{{ `javascript:x` }}'>", "<a href=\n'#'>");
  f("<a href=' {{ `java\tscript:x` }}'>", "<a href=' '>");
  f("<a title='1<2' href='{{ `javascript:x` }}'>", "<a title='1<2' href='#'>");
  f("<a HREF={{ `javascript:x` }}>", "<a HREF=#>");
  f("<a href='https://x/{{ `a:b` }}?q={{ `<` }}'>", "<a href='https://x/a:b?q=&lt;'>");
  f("<p style='background:url({{ `javascript:x` }})' onclick='{{ `x` }}'>{{ `<b>` }}</p>",
    "<p style='background:url()' onclick=''>&lt;b&gt;</p>");
  f("<script>var x = {{ `y` }};</script>{{ `<` }}", "<script>var x = ;</script>&lt;");
  f("<b {{ `onclick=x` }}>{{ `ok` }}</b>", "<b onclick&#61;x>ok</b>");
}

}  // namespace vigil::channels
