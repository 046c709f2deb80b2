// A run as it is stored, sent and shown.
#include "aggregator/actions/run.h"

#include "tests/support/catch.h"

#include <boost/json.hpp>

using namespace vigil;
using namespace vigil::actions;

namespace {

Run whole() {
  Run run;
  run.id = "6f0c0a83-3a57-4e7e-9d3b-0d6f4c1f1c1e";
  run.action = "restart-nginx";
  run.trigger = Trigger::resolved;
  run.subject = {"web-1",
                 "76696769",
                 "Down",
                 Labels{{"instance", "web-1"}, {"severity", "critical"}},
                 Labels{{"summary", "it is\ndown"}},
                 2.5};
  run.state = RunState::failed;
  run.reason = "exit status 3";
  run.author = "ada";
  run.comment = "try";
  run.created_ms = 1;
  run.started_ms = 2;
  run.ended_ms = 3;
  run.outcome = {RunState::failed, "exit status 3", 3, "no such unit\n", true};
  run.effect = "up";
  run.before = 0.0;
  run.after = 1.0;
  run.measure_at_ms = 4;
  run.is_measured = true;
  return run;
}

}  // namespace

TEST_CASE("a run is stored as it is") {
  const Run run = whole();
  auto read = decode_run(encode(run));
  REQUIRE(read);
  read->id = run.id;
  CHECK(encode(*read) == encode(run));
  CHECK(read->outcome.code == 3);
  CHECK(read->subject.labels == run.subject.labels);
  CHECK_FALSE(decode_run("{}"));
  CHECK_FALSE(decode_run("x"));
  CHECK_FALSE(decode_run(R"({"trigger":"firing","state":"done"})"));
}

TEST_CASE("what a webhook and a program are told") {
  const auto payload = boost::json::parse(payload_of(whole())).as_object();
  CHECK(payload.at("version") == 1);
  CHECK(payload.at("run") == "6f0c0a83-3a57-4e7e-9d3b-0d6f4c1f1c1e");
  CHECK(payload.at("action") == "restart-nginx");
  CHECK(payload.at("alert").at("labels").at("instance") == "web-1");
  Run manual;
  manual.action = "x";
  CHECK(boost::json::parse(payload_of(manual)).at("alert").is_null());

  Run hostile = whole();
  hostile.subject.host = "web-1\nPATH=/tmp";
  for (const std::string& variable : environment_of(hostile)) {
    CHECK(variable.find('\n') == std::string::npos);
    CHECK(variable.find('=') != std::string::npos);
  }
  CHECK(environment_of(hostile)[5] == "VIGIL_HOST=web-1 PATH=/tmp");
}

TEST_CASE("a run in a sentence") {
  Run run = whole();
  CHECK(sentence_of(run) == "failed: exit status 3; 0 before, 1 after");
  run.state = RunState::needs_approval;
  run.reason.clear();
  run.is_measured = false;
  CHECK(sentence_of(run) == "needs approval: vigil actions approve 6f0c0a83");
}
