#include "aggregator/rules/rule_extras.h"

#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/evidence.h"
#include "aggregator/alerts/messages.h"
#include "aggregator/rules/host_rules.h"
#include "tests/aggregator/alerts/rules_of.h"
#include "tests/aggregator/rules/table_storage.h"

#include <cmath>

using namespace vigil;
using namespace vigil::alerts;
using test::rules_of;
using test::TableStorage;

namespace {

const Labels kHeat{{"__name__", "heat"}, {"instance", "web"}, {"chip", "cpu"}};
const Labels kCooled{{"__name__", "cooled"}, {"instance", "web"}};

std::string with(const std::string& extras, const std::string& expr = "heat > 90") {
  return "groups: [{name: g, interval: 1s, rules: [{alert: Hot, expr: " + expr + ", " + extras + "}]}]";
}

/// The shipped path from samples to transitions: rules of a host, then the book.
struct Bench {
  explicit Bench(const std::string& yaml)
      : current(rules_of(yaml)),
        book(AlertBookOptions{}),
        rules(current, nullptr, [this](rules::Evaluation e) { note(book.apply(e)); }) {
    book.adopt(*current.get(), 0);
  }

  void note(const std::vector<Transition>& transitions) {
    for (const Transition& t : transitions) {
      told += fmt::format("{}{}@{}", told.empty() ? "" : " ", to_string(t.to), t_ms / 1000);
      last = t.alert;
    }
  }

  /// A letter a second: a digit is heat in tens, '.' none, 'c' 50 degrees and cooled, 'x' 50 and not.
  std::string run(std::string_view script) {
    told.clear();
    for (const char c : script) {
      t_ms += 1000;
      if (c != '.') storage.add(kHeat, t_ms, c == 'c' || c == 'x' ? 50 : (c - '0') * 10 + 5);
      if (c == '.') storage.end(kHeat, t_ms);
      storage.add(kCooled, t_ms, c == 'c' ? 1 : 0);
      rules.on_host_tick(7, "web", t_ms, storage);
      note(book.expire(t_ms));
    }
    return told;
  }

  rules::CurrentRules current;
  TableStorage storage;
  AlertBook book;
  std::int64_t t_ms = 0;
  std::string told;
  Alert last;
  rules::HostRules rules;
};

/// What its alerts would say if they were told of now.
std::string summaries(const Bench& bench) {
  std::string out;
  bench.book.for_each([&](const Alert& alert) {
    out += fmt::format("{} {}\n", alert.annotations.get("summary"), alert.annotations.get("flapping"));
  });
  return out;
}

}  // namespace

TEST_CASE("clear: a firing alert goes on until another threshold is passed, a pending one does not") {
  CHECK(Bench(with("clear: 70")).run("59887659") == "firing@2 resolved@6 firing@8");
  CHECK(Bench(with("clear: 70, for: 2s")).run("5998877") == "pending@2 inactive@4");
  CHECK(Bench(with("clear: 70, clear_for: 2s")).run("5996699666") == "firing@2 resolved@10");
  // Not cleared for long enough, and not true either: it goes on.
  CHECK(Bench(with("clear: 70, clear_for: 2s")).run("596886888666") == "firing@2 resolved@12");
}

TEST_CASE("clear: while it waits, an alert has the value of now and says so") {
  Bench bench(with("clear: 70, annotations: {summary: '{{ $value }} degrees'}"));
  CHECK(bench.run("598") == "firing@2");
  CHECK(summaries(bench) == "85 degrees (not true any more, waits for clear) \n");
  CHECK(bench.run("7") == "");
  bench.book.for_each([&](const Alert& alert) {
    CHECK(alert.value == 75);
    CHECK(bench.book.annotations_now(alert).get("summary") ==
          "75 degrees (not true any more, waits for clear)");
  });
  CHECK(bench.run("9") == "");
  CHECK(summaries(bench) == "95 degrees \n");
  // What is told last is how it ended.
  CHECK(bench.run("86") == "resolved@7");
  CHECK(bench.last.value == 65);
  CHECK(bench.last.annotations.get("summary") == "65 degrees");
}

TEST_CASE("clear: whatever says that it is over, and how it is compared, the value is the rule's own") {
  const auto ends_with = [](const std::string& extras, const std::string& expr, std::string_view script) {
    Bench bench(with(extras, expr));
    bench.run(script);
    return fmt::format("{} {}", to_string(bench.last.state), bench.last.value);
  };
  CHECK(ends_with("clear: cooled == 1", "heat > 90", "9xc") == "resolved 50");
  CHECK(ends_with("clear: 70, clear_for: 2s", "heat > 90", "96655") == "resolved 55");
  CHECK(ends_with("clear: 70", "90 < heat", "96") == "resolved 65");
  CHECK(ends_with("clear: 70", "heat > 90 and heat > 10", "96") == "resolved 65");
  CHECK(ends_with("clear: cooled == 1", "heat * (heat > bool 90) > 0", "9c") == "resolved 0");
  // Nobody can tell what it is now: it has that of when it was true.
  CHECK(ends_with("clear: cooled == 1", "abs(heat > 90)", "9xc") == "resolved 95");
  // Without clear it is Prometheus's: the value it was true with.
  CHECK(ends_with("keep_firing_for: 2s", "heat > 90", "96655") == "resolved 95");
}

TEST_CASE("clear beside on_no_data: alert: one that lasts for long ends all the same") {
  const std::string lasts(70, '8');
  CHECK(Bench(with("clear: 70, on_no_data: alert")).run("59" + lasts + "6") == "firing@2 resolved@73");
}

TEST_CASE("clear: an expression says when it is over, whatever labels it has fewer") {
  CHECK(Bench(with("clear: cooled == 1")).run("59xx5xc5") == "firing@2 resolved@7");
  CHECK(Bench(with("clear: 'sum by (instance) (cooled) == 1'")).run("59x9cx") == "firing@2 resolved@5");
  // What it says before anything fires is nobody's.
  CHECK(Bench(with("clear: cooled == 1")).run("ccc9c") == "firing@4 resolved@5");
}

TEST_CASE("times: so many of the last evaluations") {
  CHECK(Bench(with("times: 3 of 5")).run("595959555") == "pending@2 firing@6 resolved@7");
  CHECK(Bench(with("times: 2 of 3")).run("59955555") == "pending@2 firing@3 resolved@5");
  CHECK(Bench(with("times: 3 of 5")).run("5955555") == "pending@2 inactive@7");
  // Without data no evaluation counts.
  CHECK(Bench(with("times: 2 of 3")).run("59....9") == "pending@2 firing@7");
}

TEST_CASE("on_no_data: the alert stays, is over, or begins") {
  CHECK(Bench(with("on_no_data: keep")).run("59....5") == "firing@2 resolved@7");
  CHECK(Bench(with("on_no_data: ok")).run("59....5") == "firing@2 resolved@3");
  CHECK(Bench(with("on_no_data: alert")).run("55....55") == "firing@3 resolved@7");
  CHECK(Bench(with("on_no_data: alert, for: 2s")).run("55....55") == "pending@3 firing@5 resolved@7");
  CHECK(Bench(with("on_no_data: alert")).run("59..9.5") == "firing@2 resolved@7");
  Bench bench(with("on_no_data: alert"));
  bench.run("55.");
  CHECK(std::isnan(bench.last.value));
  CHECK(bench.last.no_data_since_ms == 3000);
  // What never had data is not missed.
  CHECK(Bench(with("on_no_data: alert")).run("....") == "");
}

TEST_CASE("flapping: told once, and over when it has been quiet") {
  Bench bench(with("flapping: 5 in 10s"));
  CHECK(bench.run("595959") == "firing@2 resolved@3 firing@4 resolved@5 firing@6");
  CHECK(bench.last.flapping_since_ms == 6000);
  CHECK(bench.last.annotations.get("flapping").starts_with("began and ended 5 times within 10s"));
  CHECK(bench.run("5959") == "");
  bench.book.for_each([](const Alert& alert) {
    CHECK(alert.flapping_since_ms == 6000);  // whatever comes after
    CHECK(alert.flap_changed_ms == 10'000);
  });
  CHECK(bench.run("55555555555") == "resolved@21");
  CHECK(bench.last.flapping_since_ms == 0);
  CHECK(bench.last.annotations.get("flapping").empty());  // and its end does not say that it flaps
  CHECK(bench.last.annotations.get("summary").find("flapping") == std::string::npos);
  CHECK(bench.run("9595") == "firing@22 resolved@23 firing@24 resolved@25");
  CHECK(Bench(with("flapping: 5 in 3s")).run("59595959") ==
        "firing@2 resolved@3 firing@4 resolved@5 firing@6 resolved@7 firing@8");
}

TEST_CASE("flapping: one that is true and quiet flaps no more") {
  Bench bench(with("flapping: 3 in 5s"));
  CHECK(bench.run("5959") == "firing@2 resolved@3 firing@4");
  CHECK(bench.last.flapping_since_ms == 4000);
  CHECK(bench.run("9999999") == "firing@9");  // it fires on, and that is told
  CHECK(bench.last.flapping_since_ms == 0);
  CHECK(bench.last.calmed);
  CHECK(summaries(bench) == " \n");  // that it flapped is said once more, and not by the alert itself
  CHECK(bench.run("95") == "resolved@13");
  CHECK_FALSE(bench.last.calmed);
}

TEST_CASE("what a summary ends with already is not said again behind it") {
  const auto appended = [](const char* summary) {
    Labels annotations;
    annotations.set("summary", summary);
    append_to_summary(annotations, "no data");
    append_to_summary(annotations, "no data");
    return std::string(annotations.get("summary"));
  };
  CHECK(appended("") == "no data");
  CHECK(appended("Disk is full") == "Disk is full (no data)");
  CHECK(appended("No data") == "No data");
  CHECK(appended("Load of web-1: no data") == "Load of web-1: no data");
  CHECK(appended("There is no data.") == "There is no data.");
  CHECK(appended("piano data") == "piano data (no data)");
  CHECK(appended("no data loss") == "no data loss (no data)");
}

TEST_CASE("flapping: one that waits for clear is quiet, unless it was cleared before") {
  Bench lasts(with("clear: 70, flapping: 3 in 5s"));
  CHECK(lasts.run("5959") == "firing@2 resolved@3 firing@4");
  CHECK(lasts.run("88889") == "firing@9");  // nothing began and nothing ended
  Bench cleared(with("clear: 70, clear_for: 1s, flapping: 3 in 9s"));
  CHECK(cleared.run("59559") == "firing@2 resolved@4 firing@5");
  CHECK(cleared.run("5899999999") == "");
  CHECK(cleared.run("9") == "firing@16");
}

TEST_CASE("on_no_data: that there is none is said as long as it is so") {
  Bench bench(with("on_no_data: alert"));
  CHECK(bench.run("59.") == "firing@2");
  CHECK(summaries(bench).find("no data") != std::string::npos);
  CHECK(bench.run("9") == "");
  CHECK(summaries(bench).find("no data") == std::string::npos);
}

TEST_CASE("known: what is not known moves nothing, and what is known and not true is over") {
  Bench bench(with("known: heat > 60"));
  CHECK(bench.run("595") == "firing@2");
  CHECK(bench.run("8") == "resolved@4");
}

TEST_CASE("a question that fails moves nothing") {
  Bench bench(with("on_no_data: keep"));
  CHECK(bench.run("59") == "firing@2");
  bench.storage.broken = true;
  CHECK(bench.run("55") == "");
  bench.storage.broken = false;
  CHECK(bench.run("5") == "resolved@5");
}

TEST_CASE("flapping: what was before a restart counts") {
  Bench bench(with("flapping: 3 in 10s"));
  const auto key = fingerprint("g/Hot/", kHeat);
  bench.book.restore_change(key, 500);
  bench.book.restore_change(key, 900);
  CHECK(bench.run("955") == "firing@1");
  CHECK(bench.last.flapping_since_ms == 1000);
}

TEST_CASE("evidence: what a rule asks, with the labels that the alert has not") {
  const auto rules =
      rules_of(with("evidence: {Busiest: 'topk(2, load{instance=\"{{ $labels.instance }}\"})'}"));
  const auto& texts = rules->rules()[0]->extras.evidence;
  REQUIRE(texts.size() == 1);
  std::string asked;
  const rules::TemplateQuery answer =
      [&asked](std::string_view expr) -> Result<std::vector<std::pair<Labels, double>>> {
    asked = expr;
    return std::vector<std::pair<Labels, double>>{
        {{{"__name__", "load"}, {"instance", "web"}, {"disk", "sda"}}, 12345.0},
        {{{"instance", "web"}}, 2.0}};
  };
  const Labels none;
  const auto evidence = ask_evidence(texts, {kHeat, 95, none, "", 0, &answer}, answer);
  CHECK(asked == "topk(2, load{instance=\"web\"})");
  REQUIRE(evidence.size() == 1);
  CHECK(evidence[0] == notify::Evidence{"Busiest", {{"disk=sda", "12.35k"}, {"value", "2"}}});
  const rules::TemplateQuery fails = [](std::string_view) -> Result<std::vector<std::pair<Labels, double>>> {
    return fail(Errc::limit, "too much");
  };
  CHECK(ask_evidence(texts, {kHeat, 95, none, "", 0, &fails}, fails)[0].rows[0].value == "too much");
}

TEST_CASE("runbook is the annotation that messages link to") {
  const auto rules = rules_of(with("runbook: https://wiki/hot"));
  CHECK(rules->rules()[0]->annotation("runbook_url") == "https://wiki/hot");
}

TEST_CASE("What is wrong with the extras of a rule is said at its place") {
  const auto wrong = [](const std::string& extras, const std::string& expr = "heat > 90") {
    const test::TempFile file("rules.yml", with(extras, expr));
    rules::RulesConfig config;
    config.preset = rules::Preset::none;
    config.files = {file.path()};
    const auto set = rules::RuleSet::load(config, {}, "");
    return set ? std::string("fine") : set.error().message.substr(file.path().size());
  };
  using Catch::Contains;
  CHECK_THAT(wrong("times: three"), Contains(".times: 'three' is not understood: write 3 of 5"));
  CHECK_THAT(wrong("times: 5 of 3"), Contains("no more than there are"));
  CHECK_THAT(wrong("times: 3 of 65"), Contains("at most 64 of 64"));
  CHECK_THAT(wrong("times: 3 of 5, for: 1m"), Contains("times is instead of for"));
  CHECK_THAT(wrong("flapping: often"), Contains(".flapping: 'often' is not understood: write 6 in 30m"));
  CHECK_THAT(wrong("flapping: 1 in 30m"), Contains("2 to 1000 changes"));
  CHECK_THAT(wrong("clear_for: 5m"), Contains("there is no clear"));
  CHECK_THAT(wrong("clear: 5, clear_for: 5m, keep_firing_for: 1m"), Contains("are one time"));
  CHECK_THAT(wrong("clear: 'heat <'"), Contains(".clear: "));
  CHECK_THAT(wrong("clear: 'heat[5m]'"), Contains("gives a range vector"));
  CHECK_THAT(wrong("clear: 95", "heat > 90"),
             Contains(".clear: 95 is beyond the rule's own threshold: for `>` it must be at most 90"));
  CHECK_THAT(wrong("clear: 95", "90 < heat"), Contains("for `>` it must be at most 90"));
  CHECK_THAT(wrong("clear: 15", "heat <= 20"), Contains("for `<=` it must be at least 20"));
  CHECK_THAT(wrong("clear: 5", "absent(heat)"), Contains("compares with no number"));
  CHECK_THAT(wrong("on_no_data: alarm"), Contains("on_no_data"));
  CHECK_THAT(wrong("on_no_data: alert", "absent(heat)"), Contains("nobody can tell"));
  CHECK_THAT(wrong("steady: 1h"), Contains("there is no on_no_data: alert"));
  CHECK_THAT(wrong("known: 'heat <'"), Contains(".known: "));
  CHECK_THAT(wrong("known: '3'"), Contains("gives a scalar"));
  CHECK_THAT(wrong("known: heat, on_no_data: ok"), Contains("makes no difference"));
  CHECK_THAT(wrong("evidence: {Top: 'topk('}"), Contains("evidence.Top"));
  CHECK_THAT(wrong("evidence: {Top: '{{ nofunc }}'}"), Contains("template: "));
}
