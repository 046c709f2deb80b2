#include "aggregator/rules/template.h"

#include "aggregator/rules/template_functions.h"
#include "tests/support/catch.h"

#include <cmath>
#include <limits>

using namespace vigil;
using namespace vigil::rules;

namespace {

const Labels kLabels{{"instance", "web-1:9100"}, {"mountpoint", "/var"}, {"empty", ""}};
const Labels kExternal{{"region", "eu"}};

std::string expand(std::string_view text, double value = 91.25) {
  const auto compiled = Template::parse(text);
  if (!compiled) return "parse error: " + compiled.error().message;
  return compiled->expand_or_error({kLabels, value, kExternal, "https://vigil.example/mon"});
}

}  // namespace

TEST_CASE("What a text makes is UTF-8, whatever it cuts") {
  CHECK(expand("{{ slice \"\u00FC\" 0 1 }}x") == "\uFFFDx");
  CHECK(expand("{{ \"a\\xFFb\\x00\" }}") == "a\uFFFDb\uFFFD");
}

TEST_CASE("Templates expand as Prometheus expands them") {
  struct Case {
    std::string_view text, expected;
  };
  const auto c = GENERATE(values<Case>({
      {"", ""},
      {"plain } text {", "plain } text {"},
      {"{{ $value }}", "91.25"},
      {"{{.Value}} {{.Labels.mountpoint}}", "91.25 /var"},
      {"{{ $labels.instance }} {{ $labels.none }}!", "web-1:9100 !"},
      {"{{ $externalLabels.region }} {{ .ExternalLabels.region }}", "eu eu"},
      {"{{ $externalURL }} {{ externalURL }} {{ pathPrefix }}",
       "https://vigil.example/mon https://vigil.example/mon /mon"},
      {"{{ $value | printf \"%.1f\" }}%", "91.2%"},
      {"{{ 1e-3 }} {{ -1e+3 }} {{ 1_000 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 017 }} {{ 0x1p-2 }} {{ .5 }} "
       "{{ 'a' }} "
       "{{ '\\n' }}",
       "0.001 -1000 1000 31 3 15 15 0.25 0.5 97 10"},
      {"{{ if gt $value 1e-3 }}much{{ end }} {{ printf \"%d %g\" 0x10 1e7 }}", "much 16 1e+07"},
      {"{{ printf \"%.0f of %s\" $value $labels.mountpoint }}", "91 of /var"},
      {"{{ $value | humanize | printf \"%s!\" }}", "91.25!"},
      {"{{ $labels.mountpoint | toUpper }} {{ title \"disk is full\" }} {{ \"ABC\" | toLower }}",
       "/VAR Disk Is Full abc"},
      {"{{ if gt $value 90.0 }}hot{{ else }}cold{{ end }}", "hot"},
      {"{{ if gt $value 95 }}hot{{ else if ge $value 91 }}warm{{ else }}cold{{ end }}", "warm"},
      {"{{ if eq $labels.mountpoint \"/\" \"/var\" }}yes{{ end }}", "yes"},
      {"{{ if and (gt $value 1.0) (not $labels.none) }}yes{{ end }}", "yes"},
      {"{{ if $labels.none }}yes{{ end }}", ""},
      {"a  {{- \" b \" -}}  c", "a b c"},
      {"a {{/* nobody reads }} this */}} b", "a  b"},
      {"{{ `raw \\n` }} {{ \"tab\\t|\" }}", "raw \\n tab\t|"},
      {"{{ \"}}\" }}", "}}"},
      {"{{ ($value | humanize) }}", "91.25"},
      {"{{ index $labels \"mountpoint\" }} {{ len \"abc\" }}", "/var 3"},
      {"{{ stripPort $labels.instance }} {{ stripDomain \"web.example.org:80\" }} {{ stripDomain "
       "\"10.0.0.1\" }}",
       "web-1 web:80 10.0.0.1"},
      {"{{ reReplaceAll \"(.*):(.*)\" \"$2/${1}\" $labels.instance }}", "9100/web-1"},
      {"{{ if match \"^web\" $labels.instance }}web{{ end }}", "web"},
      {"{{ parseDuration \"1h30m\" }}", "5400"},
      {"{{ \"$labels\" }} {{ true }} {{ print 1 2.5 \"x\" }}", "$labels true 1 2.5x"},
  }));
  CAPTURE(c.text);
  CHECK(expand(c.text) == c.expected);
}

TEST_CASE("Values print as Go prints them") {
  struct Case {
    std::string_view text;
    double value;
    std::string_view expected;
  };
  const double inf = std::numeric_limits<double>::infinity();
  const auto c = GENERATE_COPY(values<Case>({
      {"{{ $value }}", 1, "1"},
      {"{{ $value }}", 1234567, "1.234567e+06"},
      {"{{ $value }}", 1e21, "1e+21"},
      {"{{ $value }}", 0.00001, "1e-05"},
      {"{{ $value }}", -0.5, "-0.5"},
      {"{{ $value }}", std::nan(""), "NaN"},
      {"{{ $value }}", inf, "+Inf"},
      {"{{ printf \"%v %g\" $value $value }}", 1234567, "1.234567e+06 1.234567e+06"},
      {"{{ printf \"%5.1f|%-8.2f|%08.3f\" $value $value $value }}", 3.14159, "  3.1|3.14    |0003.142"},
      {"{{ printf \"%d\" $value }}", 3, "%!d(float64=3)"},
      {"{{ printf \"%s %f\" $value }}", 3, "%!s(float64=3) %!f(MISSING)"},
      {"{{ printf \"x\" $value }}", 3, "x%!(EXTRA float64=3)"},
      {"{{ printf \"%.2e %d%% %q %t\" $value 7 \"a\" true }}", 1500, "1.50e+03 7% \"a\" true"},
      {"{{ printf \"%6s|%-6s|%.2s\" \"ab\" \"ab\" \"abc\" }}", 0, "    ab|ab    |ab"},
      {"{{ printf \"%\" }}", 0, "%!(NOVERB)"},
      // As Go 1.21 prints them.
      {"{{ printf \"%c%c %U %#U\" 8364 65 8364 65 }}", 0, "\u20acA U+20AC U+0041 'A'"},
      {"{{ printf \"%c %c\" -1 $value }}", 3, "\ufffd %!c(float64=3)"},
      {"{{ printf \"%T %T %8T|%-5T|\" $value \"a\" 7 true }}", 3, "float64 string      int|bool |"},
      {"{{ printf \"%*d|%-*d|%*d|%.*f\" 5 7 4 7 -3 7 2 $value }}", 3.14159, "    7|7   |7  |3.14"},
      {"{{ printf \"%*d %.*f\" $value 7 \"a\" $value }}", 3, "%!(BADWIDTH)7 %!(BADPREC)3.000000"},
      {"{{ printf \"%[2]d %[1]d %d\" 1 2 }}", 0, "2 1 2"},
      {"{{ printf \"%[3]*.[2]*[1]f|%[2]d\" 12.0 2 6 }}", 0, " 12.00|2"},
      {"{{ printf \"%[5]d %[x]d %[1]d\" 1 2 }}", 0, "%!d(BADINDEX) %!d(BADINDEX) 1"},
  }));
  CAPTURE(c.text, c.value);
  CHECK(expand(c.text, c.value) == c.expected);
}

TEST_CASE("The humanize functions give what Prometheus's give") {
  CHECK(humanize(0) == "0");
  CHECK(humanize(1234567) == "1.235M");
  CHECK(humanize(999) == "999");
  CHECK(humanize(0.0123) == "12.3m");
  CHECK(humanize(-2.5e-7) == "-250n");
  CHECK(humanize(std::nan("")) == "NaN");
  CHECK(humanize_1024(1048576) == "1Mi");
  CHECK(humanize_1024(1) == "1");
  CHECK(humanize_1024(1500) == "1.465ki");
  CHECK(humanize_duration(0) == "0s");
  CHECK(humanize_duration(59.5) == "59.5s");
  CHECK(humanize_duration(3725) == "1h 2m 5s");
  CHECK(humanize_duration(90061) == "1d 1h 1m 1s");
  CHECK(humanize_duration(-61) == "-1m 1s");
  CHECK(humanize_duration(0.0125) == "12.5ms");
  CHECK(humanize_percentage(0.12345) == "12.35%");
  CHECK(humanize_timestamp(1435065584.128) == "2015-06-23 13:19:44.128 +0000 UTC");
  CHECK(humanize_timestamp(0) == "1970-01-01 00:00:00 +0000 UTC");
}

TEST_CASE("What a template cannot do is said when it is parsed") {
  struct Case {
    std::string_view text, message;
  };
  const auto c = GENERATE(values<Case>({
      {"{{ $value", "unclosed action"},
      {"{{ humanise $value }}", "function \"humanise\" not defined; did you mean humanize?"},
      {"{{ range query \"up\" }}", "unexpected end of the text: {{ range }} without {{ end }}"},
      {"{{ range }}{{ end }}", "missing value for range"},
      {"{{ range 1 }}{{ else if 1 }}{{ end }}", "unexpected \"if 1 \" in else"},
      {"{{ break }}", "{{break}} outside {{range}}"},
      {"{{ if 1 }}{{ define \"x\" }}{{ end }}{{ end }}", "unexpected {{define}}"},
      {"{{ define \"x\" }}{{ $value }}{{ end }}",
       "undefined variable \"$value\"; known are $value, $labels, $externalLabels, $externalURL"},
      {"{{ define \"x\" }}", "template \"x\" has no {{ end }}"},
      {"{{ template x }}", "template needs a name in quotes"},
      {"{{ if 1 }}{{ $x := 1 }}{{ end }}{{ $x }}",
       "undefined variable \"$x\"; known are $value, $labels, $externalLabels, $externalURL"},
      {"{{ $x = 1 }}", "undefined variable \"$x\""},
      {"{{ .Lables.x }}", "there is no .Lables; known are .Value, .Labels, .ExternalLabels, .ExternalURL"},
      {"{{ $valu }}",
       "undefined variable \"$valu\"; known are $value, $labels, $externalLabels, $externalURL"},
      {"{{ if $value }}x", "unexpected end of the text: {{ if }} without {{ end }}"},
      {"x{{ end }}", "unexpected {{end}}"},
      {"{{ if 1 }}{{ else }}{{ else }}{{ end }}", "expected end; found {{else}}"},
      {"{{ }}", "missing value for command"},
      {"{{ $value $value }}", "can't give argument to non-function"},
      {"{{ 1 | $value }}", "non executable command in pipeline"},
      {"{{ humanize }}", "wrong number of args for humanize: want 1, got 0"},
      {"{{ (humanize 1 }}", "unclosed left parenthesis"},
      {"{{ \"abc }}", "unclosed action"},
      {"{{ $value.x }}", "can't evaluate field x in $value"},
      {"{{ $labels. }}", "a name must follow \"$labels.\""},
      {"{{/* x }}", "unclosed comment"},
      {"{{ 1x }}", "bad number syntax: \"1x\""},
      {"{{ 0b12 }}", "bad number syntax: \"0b12\""},
      {"{{ 1__0 }}", "bad number syntax: \"1__0\""},
      {"{{ 9223372036854775808 }}", "bad number syntax: \"9223372036854775808\""},
      {"{{ 'ab' }}", "malformed character constant: 'ab'"},
      {"{{ 'a }}", "unterminated character constant"},
  }));
  CAPTURE(c.text);
  const auto compiled = Template::parse(c.text);
  REQUIRE_FALSE(compiled);
  CHECK(compiled.error().message == c.message);
}

namespace {

/// Answers every query with three hosts' loads; its text is in the label `expr`.
Result<std::vector<std::pair<Labels, double>>> answer(std::string_view expr) {
  if (expr == "none") return std::vector<std::pair<Labels, double>>{};
  if (expr == "bad") return fail(Errc::parse, "1:1: parse error");
  std::vector<std::pair<Labels, double>> out;
  double value = 0;
  for (const char* host : {"c", "a", "b"})
    out.emplace_back(Labels{{"__name__", "load"}, {"instance", host}, {"expr", std::string(expr)}},
                     value += 1.5);
  return out;
}

std::string expand_with_storage(std::string_view text) {
  const auto compiled = Template::parse(text);
  if (!compiled) return "parse error: " + compiled.error().message;
  const TemplateQuery query = answer;
  return compiled->expand_or_error({kLabels, 91.25, kExternal, "https://vigil.example", 1500, &query});
}

}  // namespace

TEST_CASE("Templates ask the storage and go over its answer") {
  struct Case {
    std::string_view text, expected;
  };
  const auto c = GENERATE(values<Case>({
      {"{{ query \"load\" | first | value }}", "1.5"},
      {"{{ with query \"load\" }}{{ . | first | label \"instance\" }}{{ end }}", "c"},
      {"{{ range query \"load\" }}{{ .Labels.instance }}={{ .Value }} {{ end }}", "c=1.5 a=3 b=4.5 "},
      {"{{ range $i, $s := query \"load\" | sortByLabel \"instance\" }}{{ $i }}{{ $s.Labels.instance }}{{ "
       "end }}",
       "0a1b2c"},
      {"{{ range query \"none\" }}x{{ else }}nothing{{ end }}", "nothing"},
      {"{{ with query \"none\" }}x{{ else with $labels }}{{ .mountpoint }}{{ end }}", "/var"},
      {"{{ len (query \"load\") }} {{ (index (query \"load\") 1).Value }}", "3 3"},
      {"{{ range query \"load\" }}{{ if eq .Labels.instance \"a\" }}{{ continue }}{{ end }}{{ "
       ".Labels.instance }}"
       "{{ break }}{{ end }}",
       "c"},
      {"{{ $q := printf \"up{x='%s'}\" $labels.mountpoint }}{{ query $q | first | label \"expr\" }}",
       "up{x='/var'}"},
      {"{{ $n := 0 }}{{ range query \"load\" }}{{ $n = .Value }}{{ end }}{{ $n }}", "4.5"},
      {"{{ range $k, $v := $externalLabels }}{{ $k }}={{ $v }}{{ end }}", "region=eu"},
      {"{{ define \"host\" }}<{{ .Labels.instance }}>{{ end }}{{ range query \"load\" }}{{ template \"host\" "
       ". "
       "}}{{ end }}",
       "<c><a><b>"},
      {"{{ define \"two\" }}{{ .arg0 }}-{{ .arg1 }}{{ .arg2 }}{{ end }}{{ template \"two\" (args 1 \"b\") }}",
       "1-b<no value>"},
      {"{{ define \"t\" }}[{{ . }}]{{ end }}{{ tmpl \"t\" $value | toUpper }}", "[91.25]"},
      {"{{ block \"b\" $value }}({{ . }}){{ end }}", "(91.25)"},
      {"{{ query \"load\" | first }}", "&{map[__name__:load expr:load instance:c] 1.5}"},
      {"{{ $.Value }} {{ $x := 5 }}{{ $x }} {{ with $x }}{{ . }}{{ end }} {{ range $i := 3 }}{{ $i }}{{ end "
       "}}",
       "91.25 5 5 012"},
      {"{{ toTime 0 }} {{ toDuration 3661.5 }} {{ now }} {{ strvalue (query \"load\" | first) }}.",
       "1970-01-01 00:00:00 +0000 UTC 1h1m1.5s 1.5 ."},
      {"{{ tableLink \"up == 0\" }} {{ graphLink \"up\" }}",
       "/graph?g0.expr=up+%3D%3D+0&g0.tab=1 /graph?g0.expr=up&g0.tab=0"},
      {"{{ safeHtml \"<b>\" }} {{ html \"<b>\" }} {{ urlquery \"a b&\" }} {{ js \"it's\" }}{{ println 1 2 }}",
       "<b> &lt;b&gt; a+b%26 it\\'s1 2\n"},
      {"{{ slice \"abcdef\" 1 3 }} {{ or $labels.none \"fallback\" }} {{ and 1 \"\" }}|", "bc fallback |"},
      {"{{ query \"none\" | first }}",
       "<error expanding template: error calling first: first() called on vector with no elements>"},
      {"{{ query \"bad\" }}", "<error expanding template: error calling query: 1:1: parse error>"},
      {"{{ template \"x\" }}", "<error expanding template: template \"x\" not defined>"},
      {"{{ range $value }}{{ end }}", "<error expanding template: range can't iterate over 91.25>"},
  }));
  CAPTURE(c.text);
  CHECK(expand_with_storage(c.text) == c.expected);
}

TEST_CASE("What is taken of a query's answer outlives the answer") {
  CHECK(expand_with_storage("{{ (query \"load\" | first).Labels.instance }}") == "c");
  CHECK(expand_with_storage("{{ $l := (query \"load\" | first).Labels }}{{ $l.instance }}") == "c");
  CHECK(expand_with_storage("{{ $l := \"\" }}{{ range query \"load\" }}{{ $l = .Labels }}{{ end }}"
                            "{{ $l.instance }}") == "b");
  CHECK(expand_with_storage("{{ with (query \"load\" | first).Labels }}{{ .instance }}{{ end }}") == "c");
  CHECK(expand_with_storage("{{ range $k, $v := (query \"load\" | first).Labels }}{{ $v }}{{ end }}")
            .find('c') != std::string::npos);
}

TEST_CASE("Labels and the alert print as Go's maps and structs do") {
  CHECK(expand("{{ printf \"%s\" $labels }}") == expand("{{ $labels }}"));
  CHECK(expand("{{ . }}").starts_with("{map["));
  CHECK(expand("{{ . }}").ends_with(" 91.25}"));
}

TEST_CASE("A template that never ends is ended") {
  CHECK(expand("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}") ==
        "<error expanding template: templates call each other more than 100 deep>");
  CHECK(expand("{{ range 1000000000 }}{{ end }}") == "<error expanding template: more than 100000 steps>");
  CHECK(expand("{{ range 10000 }}0123456789{{ end }}") ==
        "<error expanding template: the text is longer than 65536 bytes>");
}

TEST_CASE("A text that doubles is ended, as variables and replacements would let it") {
  CHECK(expand("{{ $x := \"0123456789\" }}{{ range 40 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}") ==
        "<error expanding template: error calling printf: a text longer than 65536 bytes>");
  const std::string many(20'000, 'a');
  CHECK(expand("{{ reReplaceAll \"a\" \"" + many + "\" \"" + many + "\" }}") ==
        "<error expanding template: error calling reReplaceAll: a text longer than 65536 bytes>");
  std::string groups;
  for (int i = 0; i < 10'000; ++i) groups += "$0";
  CHECK(expand("{{ reReplaceAll \"a+\" \"" + groups + "\" \"" + many + "\" }}") ==
        "<error expanding template: error calling reReplaceAll: a text longer than 65536 bytes>");
  CHECK(expand("{{ range 10000 }}{{ $x := printf \"%512d%512d%512d%512d%512d\" 1 2 3 4 5 }}{{ end }}") ==
        "<error expanding template: error calling printf: more than 16777216 bytes of text are made>");
}

TEST_CASE("Replacements fall where Go's do") {
  CHECK(expand("{{ reReplaceAll \"a*\" \"X\" \"baaac\" }}") == "XbXcX");
  CHECK(expand("{{ reReplaceAll \"\" \"-\" \"a\u00e9b\" }}") == "-a-\u00e9-b-");
  CHECK(expand("{{ reReplaceAll \"^\" \">\" \"ab\" }}") == ">ab");
  CHECK(expand("{{ reReplaceAll \"b+\" \"[$0$9]\" \"abbcb\" }}") == "a[bb]c[b]");
  CHECK(expand("{{ reReplaceAll \"x\" \"y\" \"\" }}").empty());
}

TEST_CASE("A template that fails leaves its error in the text, not nothing") {
  CHECK(expand("{{ humanize $labels.mountpoint }}") ==
        "<error expanding template: error calling humanize: \"/var\" is not a number>");
  CHECK(expand("{{ gt $value \"x\" }}") ==
        "<error expanding template: error calling gt: cannot compare float64 with string>");
  CHECK(expand("{{ match \"(\" \"x\" }}")
            .starts_with("<error expanding template: error calling match: regular"));
}

TEST_CASE("Every prefix of a template parses or fails, and deep nesting is refused") {
  const std::string text =
      "a {{ if and (gt $value 1.0) (eq $labels.x `y`) }}{{ $value | printf \"%.1f\" }}{{ else }}b{{ end }}";
  for (std::size_t i = 0; i <= text.size(); ++i) expand(std::string_view(text).substr(0, i));
  std::string deep = "{{ ";
  for (int i = 0; i < 1000; ++i) deep += '(';
  CHECK_FALSE(Template::parse(deep));
  std::string ifs;
  for (int i = 0; i < 1000; ++i) ifs += "{{ if 1 }}";
  CHECK_FALSE(Template::parse(ifs));
  CHECK(expand("{{ printf \"%999999999d\" 1 }}").size() == 512);
}
