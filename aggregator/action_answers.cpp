#include "aggregator/action_answers.h"

#include "common/wire/names.h"

namespace vigil::aggregator {

actions::Outcome outcome_of(const v1::ActionResult& result) {
  constexpr std::size_t kMostReasonBytes = 1'024;
  using actions::RunState;
  actions::Outcome out;
  out.reason = wire::clean_text(result.reason(), kMostReasonBytes);
  out.output = wire::clean_text(result.output(), actions::kMostOutputBytes);
  out.is_output_cut = result.output_cut() || result.output().size() > actions::kMostOutputBytes;
  switch (result.outcome()) {
    case v1::ActionResult::OUTCOME_EXITED:
      out.state = result.code() == 0 ? RunState::succeeded : RunState::failed;
      out.code = result.code();
      break;
    case v1::ActionResult::OUTCOME_REFUSED:
      out.has_not_begun = true;
      [[fallthrough]];
    case v1::ActionResult::OUTCOME_KILLED:
    case v1::ActionResult::OUTCOME_LATE:
      out.state = RunState::failed;
      break;
    default:  // also one of a newer agent
      out.state = RunState::unknown;
  }
  if (out.state != RunState::succeeded && out.reason.empty()) out.reason = "the agent does not say why";
  return out;
}

}  // namespace vigil::aggregator
