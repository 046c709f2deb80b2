#include "agent/actions/action_runner.h"

#include "agent/actions/allow_list.h"
#include "common/log/log.h"
#include "common/process/program.h"
#include "common/wire/names.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace vigil::agent {
namespace {

constexpr std::size_t kMostWaiting = 16;
constexpr std::size_t kMostSeen = 256;
constexpr std::size_t kMostIdBytes = 64;
constexpr std::size_t kMostOutputBytes = 8'192;
constexpr std::size_t kMostReasonBytes = 1'024;

v1::ActionResult refused(const v1::ActionRequest& request, std::string_view why) {
  v1::ActionResult result;
  result.set_id(request.id());
  result.set_outcome(v1::ActionResult::OUTCOME_REFUSED);
  result.set_reason(wire::clean_text(why, kMostReasonBytes));
  return result;
}

v1::ActionResult::Outcome outcome_of(ProgramEnd::Kind kind) {
  switch (kind) {
    case ProgramEnd::Kind::exited:
      return v1::ActionResult::OUTCOME_EXITED;
    case ProgramEnd::Kind::killed:
      return v1::ActionResult::OUTCOME_KILLED;
    case ProgramEnd::Kind::late:
      return v1::ActionResult::OUTCOME_LATE;
    case ProgramEnd::Kind::unknown:
      break;
  }
  return v1::ActionResult::OUTCOME_UNKNOWN;
}

}  // namespace

ActionRunner::ActionRunner(std::string list, std::function<void(v1::ActionResult)> answer, uid_t owner)
    : answer_(std::move(answer)), owner_(owner), list_(std::move(list)) {}

void ActionRunner::set_list(std::string list) {
  const std::lock_guard lock(mutex_);
  list_ = std::move(list);
}

std::string ActionRunner::list() {
  const std::lock_guard lock(mutex_);
  return list_;
}

void ActionRunner::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    more_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  for (const Waiting& each : std::exchange(waiting_, {})) answer_(refused(each.request, "the agent stops"));
}

void ActionRunner::take(const v1::ActionRequest& request) {
  if (request.id().empty() || request.id().size() > kMostIdBytes) return;  // nobody could be answered
  if (list().empty())
    return answer_(refused(request, "this agent runs no actions: its configuration names no actions_file"));
  const std::lock_guard lock(mutex_);
  if (stopping_) return answer_(refused(request, "the agent stops"));
  if (std::ranges::find(seen_, request.id()) != seen_.end()) return;
  if (waiting_.size() >= kMostWaiting) return answer_(refused(request, "too many actions wait here already"));
  seen_.push_back(request.id());
  if (seen_.size() > kMostSeen) seen_.pop_front();
  waiting_.push_back({request, Clock::now()});
  more_.notify_all();
  if (thread_.joinable()) return;
  thread_ = std::thread([this] { loop(); });
  ::pthread_setname_np(thread_.native_handle(), "actions");
}

void ActionRunner::loop() {
  hold_back_sigpipe();
  while (true) {
    Waiting next;
    {
      std::unique_lock lock(mutex_);
      more_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    const std::chrono::milliseconds valid_for(next.request.valid_for_ms());
    const bool is_late = valid_for.count() > 0 && Clock::now() - next.since >= valid_for;
    answer_(is_late ? refused(next.request, "others ran for so long that nobody waits for it any more")
                    : run(next.request));
  }
}

v1::ActionResult ActionRunner::run(const v1::ActionRequest& request) {
  const std::string path = this->list();
  const auto list = read_allow_list(path, owner_);
  if (!list) {
    log::warn("actions", "an action was asked for, and the list cannot be used", {{"error", list.error()}});
    return refused(request, list.error().message);
  }
  const auto found = list->actions.find(request.name());
  if (found == list->actions.end())
    return refused(request, fmt::format("{} has no action {}", path, wire::clean_text(request.name(), 128)));
  if (const std::string fault = fault_of(found->second, owner_); !fault.empty())
    return refused(request, fault);
  log::info("actions", "an action begins", {{"action", request.name()}, {"run", request.id()}});
  Program program;
  ProgramCall call;
  call.command = found->second.command;
  call.environment = {kProgramPath, "LANG=C.UTF-8", "VIGIL_ACTION=" + request.name(),
                      "VIGIL_RUN=" + wire::clean_text(request.id(), 64)};
  call.timeout = found->second.timeout;
  call.keep = ProgramCall::Keep::everything;
  call.most_bytes = kMostOutputBytes;
  if (const auto started = program.start(std::move(call), Program::Clock::now()); !started)
    return refused(request, started.error().message);
  const auto end = run_to_end(program, stopping_);
  v1::ActionResult result;
  result.set_id(request.id());
  if (!end) {
    result.set_outcome(v1::ActionResult::OUTCOME_UNKNOWN);
    result.set_reason("the agent was stopped while it ran");
    return result;
  }
  const std::string how = to_string(*end, found->second.timeout);
  result.set_outcome(outcome_of(end->kind));
  result.set_code(end->code);
  if (!end->is_fine()) result.set_reason(how);
  result.set_output(wire::clean_text(end->output, kMostOutputBytes));
  result.set_output_cut(end->is_cut);
  log::info("actions", "an action ended", {{"action", request.name()}, {"run", request.id()}, {"end", how}});
  return result;
}

}  // namespace vigil::agent
