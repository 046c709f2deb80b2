#include "common/config/fields.h"
#include "common/log/allowance.h"
#include "common/log/log.h"
#include "tests/support/catch.h"

namespace vigil::config {

struct Mail {
  std::string from;
  int port = 25;
};
void describe(Fields& fields, Mail& mail) {
  fields.required("from", mail.from, "Sender address.");
  fields.field("port", mail.port, "TCP port.");
  fields.require("port", mail.port > 0 && mail.port < 65536, "must be between 1 and 65535");
}

enum class Mode { fast, safe };

struct Settings {
  std::chrono::milliseconds interval{1000};
  Bytes buffer{16 << 20};
  bool enabled = true;
  Mode mode = Mode::safe;
  std::map<std::string, std::string> labels;
  std::vector<Mail> mails;
  std::optional<Mail> fallback;
};
void describe(Fields& fields, Settings& settings) {
  static constexpr std::pair<std::string_view, Mode> kModes[] = {{"fast", Mode::fast}, {"safe", Mode::safe}};
  fields.field("interval", settings.interval, "How often to sample.");
  fields.field("buffer", settings.buffer, "Memory for unsent data.");
  fields.field("enabled", settings.enabled, "Whether at all.");
  fields.choice("mode", settings.mode, std::span<const std::pair<std::string_view, Mode>>(kModes),
                "How careful to be.");
  fields.field("labels", settings.labels, "Labels of the host.");
  fields.field("mails", settings.mails, "Mailboxes.");
  fields.field("fallback", settings.fallback, "The last resort.");
}

namespace {

std::string errors_of(std::string_view text) {
  Settings settings;
  const auto result = load_text(text, "vigil.yml", settings);
  return result ? "" : result.error().message;
}

}  // namespace

TEST_CASE("a document is read into the struct, what it does not mention keeps its default") {
  Settings settings;
  REQUIRE(load_text(
      "interval: 10s\nbuffer: 4MiB\nmode: fast\nlabels: {env: prod}\nmails:\n  - from: a@example.org\n",
      "vigil.yml", settings));
  CHECK(settings.interval == std::chrono::seconds(10));
  CHECK(settings.buffer.count == 4u << 20);
  CHECK(settings.mode == Mode::fast);
  CHECK(settings.enabled);
  CHECK(settings.labels.at("env") == "prod");
  REQUIRE(settings.mails.size() == 1);
  CHECK(settings.mails[0].port == 25);
  CHECK_FALSE(settings.fallback);
}

TEST_CASE("an empty document is all defaults") {
  CHECK(errors_of("").empty());
  CHECK(errors_of("# nothing\n").empty());
}

TEST_CASE("a quote that is never closed is an error where it stands, and swallows nothing in silence") {
  const auto [text, place] = GENERATE(table<const char*, const char*>({
      {"labels:\n  env: \"prod\ninterval: 10s\n", "2:8"},
      {"labels:\n  env: 'it''s prod\ninterval: 10s\n", "2:8"},
      {"labels: {env: a}\nmode: \"sa\\\"\n", "2:7"},
      {"interval: 1s\n\"mode: fast\n", "2:1"},
      {"mode: &m 'safe\n", "1:10"},
      {"mode: !!str\n  'safe\n", "2:3"},
      {"mode: safe\nlabels:\n  ? \"env\n", "3:5"},
      {"\xEF\xBB\xBFmode: 'safe\n", "1:7"},
      {"# \xC3\xA4\nlabels: {a: \xC3\xA4}\nmode: 'safe\n", "3:7"},
      {"\"\n", "1:1"},
  }));
  CHECK(errors_of(text) == fmt::format("vigil.yml:{}: this quote is never closed", place));
}

TEST_CASE("quotes that are closed are none of that, nor those in comments, blocks and words") {
  const char* text = GENERATE("labels: {a: \"x\\\"\"}", "labels: {a: 'it''s'}", "labels: {a: '', b: \"\"}",
                              "labels:\n  a: it's\n  b: 5\"", "mode: 'safe' # isn't it",
                              "labels:\n  a: |\n    \"x", "labels:\n  a: >\n    'x", "mode: &m 'safe'",
                              "labels: {a: \"x\n  y\"}\r\n", "labels:\r\n  a: 'x'\r\n  b: \"y\"\r\n",
                              "labels: {a: 'äö', b: ''}", "\xEF\xBB\xBFmode: 'safe'");
  CHECK(errors_of(text) == "");
}

TEST_CASE("errors name file, line, column, key and what would be right") {
  CHECK(errors_of("intervall: 10s") == "vigil.yml:1:1: intervall: unknown key; did you mean interval?");
  CHECK(errors_of("enabled: true\nmails:\n  - from: a@b\n    prot: 26") ==
        "vigil.yml:4:5: mails[0].prot: unknown key; did you mean port?");
  CHECK(errors_of("interval: soon").starts_with("vigil.yml:1:11: interval: 'soon' is not a duration"));
  CHECK(errors_of("interval: [1, 2]") ==
        "vigil.yml:1:11: interval: expected a duration such as 30s, found a list");
  CHECK(errors_of("mode: quick") == "vigil.yml:1:7: mode: must be one of fast, safe");
  CHECK(errors_of("mails: [{port: 70000, from: x}]") ==
        "vigil.yml:1:16: mails[0].port: must be between 1 and 65535");
  CHECK(errors_of("mails: [{port: 25}]") == "vigil.yml:1:9: mails[0]: missing key from");
  CHECK(errors_of("- a\n- b") == "vigil.yml:1:1: expected a mapping of keys to values");
  CHECK(errors_of("a: [1").starts_with("vigil.yml:"));
  CHECK(errors_of("enabled: true\nenabled: false") == "vigil.yml:2:1: enabled: this key is written twice");
  CHECK(errors_of("enabled: true\n---\nnonsense: 1") ==
        "vigil.yml:3:1: a second document begins here, after '---': only one is read");
}

TEST_CASE("only regular files are read: a FIFO would wait for ever") {
  CHECK_FALSE(read_file("/dev/zero"));
  CHECK_FALSE(read_file("/"));
  CHECK(read_file("/nowhere").error().code == Errc::not_found);
}

TEST_CASE("all errors are reported at once") {
  CHECK(errors_of("intervall: 1s\nmode: quick\n") ==
        "vigil.yml:2:7: mode: must be one of fast, safe\nvigil.yml:1:1: intervall: unknown key; did you "
        "mean interval?");
}

TEST_CASE("nesting that would exhaust the stack is refused") {
  CHECK(errors_of("a: " + std::string(100'000, '[')).find("nested") != std::string::npos);
  CHECK(errors_of(std::string(100'000, '{')).find("nested") != std::string::npos);
  std::string dashes;
  for (int i = 0; i < 50'000; ++i) dashes += "- ";
  CHECK(errors_of(dashes).find("nested") != std::string::npos);
}

TEST_CASE("aliases that make a small text large are refused, once and where reading ended") {
  std::string list = "enabled: true\nmails: [&m {from: a}";
  for (int i = 0; i < 210'000; ++i) list += ",*m";
  CHECK(errors_of(list + "]").starts_with("vigil.yml:2:8: mails: too much to read from here on"));
  CHECK(errors_of(list + "]").find('\n') == std::string::npos);
  std::string texts = "labels:\n  l0: &t " + std::string(100'000, 'x') + "\n";
  for (int i = 1; i < 100; ++i) texts += fmt::format("  l{}: *t\n", i);
  CHECK(errors_of(texts).find("4 MiB of text") != std::string::npos);
  CHECK(errors_of(texts).find('\n') == std::string::npos);
  CHECK(errors_of("labels: {a: &t x, b: *t, c: *t}").empty());
}

namespace {

struct Tree {
  std::vector<Tree> below;
};
void describe(Fields& fields, Tree& tree) {
  fields.field("below", tree.below, "");
}

}  // namespace

TEST_CASE("an alias to what it stands in is refused") {
  Tree tree;
  const auto result = load_text("below: &a\n  - below: *a\n", "vigil.yml", tree);
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find("nested more than 64 levels deep") != std::string::npos);
}

TEST_CASE("merge keys bring the keys of other mappings, own ones win") {
  Settings settings;
  REQUIRE(
      load_text("fallback: &a {from: a@example.org, port: 1}\n"
                "mails:\n  - <<: *a\n  - {<<: *a, port: 2}\n  - {<<: [{port: 3}, *a]}\n",
                "vigil.yml", settings));
  REQUIRE(settings.mails.size() == 3);
  CHECK(settings.mails[0].from == "a@example.org");
  CHECK(settings.mails[0].port == 1);
  CHECK(settings.mails[1].port == 2);
  CHECK(settings.mails[2].port == 3);
  CHECK(settings.mails[2].from == "a@example.org");
  CHECK(errors_of("mails:\n  - {from: b, <<: {prt: 3}}\n") ==
        "vigil.yml:2:20: mails[0].prt: unknown key; did you mean port?");
  CHECK(errors_of("mails:\n  - {from: b, <<: 3}\n") ==
        "vigil.yml:2:19: mails[0]: << takes a mapping, or a list of them");
}

namespace {

struct Careful {
  int known = 0;
};
void describe(Fields& fields, Careful& careful) {
  fields.field("known", careful.known, "");
  fields.without_effect("old", "does nothing here");
}

}  // namespace

TEST_CASE("a key without effect is a warning and no error") {
  auto document = Document::parse("known: 1\nold: {a: b}\n", "vigil.yml");
  REQUIRE(document);
  Careful careful;
  decode(document->root(), careful);
  CHECK(document->result());
  CHECK(document->warnings() == std::vector<std::string>{"vigil.yml:2:6: old: does nothing here"});
}

TEST_CASE("every key is documented with type and default") {
  const auto entries = document(Settings{});
  const std::string table = to_markdown(entries);
  CHECK(table.find("| `interval` | duration | `1s` | How often to sample. |") != std::string::npos);
  CHECK(table.find("| `mode` | fast \\| safe | `safe` | How careful to be. |") != std::string::npos);
  CHECK(table.find("| `mails[].port` | whole number | `25` | TCP port. Must be between 1 and 65535. |") !=
        std::string::npos);
  CHECK(table.find("| `fallback.from` | text |") != std::string::npos);
}

TEST_CASE("a log line stays one line whatever a name contains") {
  CHECK(log::format_line("ingest", "agent connected", {{"host", "web-1"}, {"series", 500}}) ==
        "ingest: agent connected host=web-1 series=500");
  CHECK(log::format_line("x", "y", {{"host", "a b\n\"c\""}, {"empty", ""}}) ==
        R"(x: y host="a b\n\"c\"" empty="")");
  CHECK(log::format_line("x", "y", {{"host", "a\xFF\x1b[2J\xC2\x9Bö"}}) ==
        "x: y host=\"a\\xff\\x1b[2J\\xc2\\x9bö\"");
  CHECK(log::format_line("x", "y", {{"host", "größe"}}) == "x: y host=größe");
}

TEST_CASE("a log line stays one line whatever a library quotes in its sentence") {
  CHECK(log::format_line("grpc", "invalid value=POST\n<0>kernel: \x1b[31mforged \"k\"", {}) ==
        R"(grpc: invalid value=POST\n<0>kernel: \x1b[31mforged "k")");
  const std::string line = log::format_line("grpc", std::string(20'000, 'x'), {{"k", "v"}});
  CHECK(line.size() < 2'200);
  CHECK_THAT(line, Catch::EndsWith("x… (17952 bytes more) k=v"));
}

TEST_CASE("of lines that strangers can cause so many are written a minute, and the others counted") {
  log::Allowance allowance(2);
  CHECK(allowance.take(60'000) == 0);
  CHECK(allowance.take(61'000) == 0);
  CHECK_FALSE(allowance.take(62'000));
  CHECK_FALSE(allowance.take(119'999));
  CHECK(allowance.take(120'000) == 2);
  CHECK(allowance.take(120'001) == 0);
  CHECK_FALSE(allowance.take(120'002));
}

TEST_CASE("a file that is not UTF-8 is refused where it is not, and no byte of that kind is repeated") {
  const auto latin = Document::parse("a: 1\nb: M\xfcnchen\n", "rules.yml");
  REQUIRE_FALSE(latin);
  CHECK_THAT(latin.error().message, Catch::StartsWith("rules.yml:2:5: not UTF-8: the byte 0xfc"));
  const auto key = Document::parse("foo\xff: 1\n", "agg.yml");
  REQUIRE_FALSE(key);
  CHECK_THAT(key.error().message, Catch::StartsWith("agg.yml:1:4: not UTF-8"));
  const auto wide = Document::parse(std::string_view("\xff\xfe"
                                                     "a\0:\0",
                                                     6),
                                    "alertmanager.yml");
  REQUIRE_FALSE(wide);
  CHECK_THAT(wide.error().message, Catch::StartsWith("alertmanager.yml:1:1: not UTF-8"));
}

}  // namespace vigil::config
