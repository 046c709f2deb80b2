// What agents say of actions: anybody's bytes.
#include "aggregator/action_answers.h"

#include <catch2/catch.hpp>

namespace vigil::aggregator {
namespace {

using actions::RunState;

v1::ActionResult answer(v1::ActionResult::Outcome outcome, int code = 0, const std::string& reason = {}) {
  v1::ActionResult out;
  out.set_outcome(outcome);
  out.set_code(code);
  out.set_reason(reason);
  return out;
}

TEST_CASE("a program that ended succeeded by its exit status alone") {
  const auto good = outcome_of(answer(v1::ActionResult::OUTCOME_EXITED));
  CHECK(good.state == RunState::succeeded);
  CHECK(good.code == 0);
  CHECK(good.reason.empty());
  const auto bad = outcome_of(answer(v1::ActionResult::OUTCOME_EXITED, 3, "exit status 3"));
  CHECK(bad.state == RunState::failed);
  CHECK(bad.code == 3);
  CHECK(bad.reason == "exit status 3");
  CHECK_FALSE(bad.has_not_begun);
}

TEST_CASE("a refusal counts for no limit, and what nobody knows is unknown") {
  const auto refused = outcome_of(answer(v1::ActionResult::OUTCOME_REFUSED, 0, "no such action"));
  CHECK(refused.state == RunState::failed);
  CHECK(refused.has_not_begun);
  CHECK_FALSE(refused.code.has_value());
  for (const auto outcome : {v1::ActionResult::OUTCOME_KILLED, v1::ActionResult::OUTCOME_LATE}) {
    const auto late = outcome_of(answer(outcome));
    CHECK(late.state == RunState::failed);
    CHECK_FALSE(late.has_not_begun);
    CHECK(late.reason == "the agent does not say why");
  }
  CHECK(outcome_of(answer(static_cast<v1::ActionResult::Outcome>(77))).state == RunState::unknown);
}

TEST_CASE("texts of an agent are cut and made clean") {
  v1::ActionResult result = answer(v1::ActionResult::OUTCOME_EXITED, 1, std::string(5'000, 'r'));
  result.set_output(std::string(actions::kMostOutputBytes + 1, 'o'));
  const auto cut = outcome_of(result);
  CHECK(cut.reason.size() <= 1'024);
  CHECK(cut.output.size() <= actions::kMostOutputBytes);
  CHECK(cut.is_output_cut);
  result.set_output("line\n\xFFred");
  CHECK(outcome_of(result).output == "line\n\xEF\xBF\xBDred");
  CHECK_FALSE(outcome_of(result).is_output_cut);
}

}  // namespace
}  // namespace vigil::aggregator
