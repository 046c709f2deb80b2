#include "aggregator/actions/executor.h"

#include "aggregator/notify/private_addresses.h"
#include "aggregator/notify/requests.h"
#include "aggregator/notify/text.h"
#include "aggregator/notify/transfer.h"
#include "common/process/program.h"
#include "common/text/human.h"
#include "common/wire/names.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace vigil::actions {
namespace {

constexpr std::chrono::milliseconds kFarewell{2000};
constexpr std::chrono::hours kBelieved{1};  // so long an agent may answer late

/// It could not begin.
Outcome failed(std::string reason) {
  Outcome out;
  out.state = RunState::failed;
  out.has_not_begun = true;
  out.reason = std::move(reason);
  return out;
}

/// Whether the other side may have begun: not when it was not reached.
bool was_reached(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
      return false;
    default:
      return true;
  }
}

Outcome outcome_of(const ProgramEnd& end, std::chrono::milliseconds timeout) {
  Outcome out;
  out.state = end.is_fine() ? RunState::succeeded : RunState::failed;
  if (end.kind == ProgramEnd::Kind::unknown) out.state = RunState::unknown;
  if (!end.is_fine()) out.reason = to_string(end, timeout);
  if (end.kind == ProgramEnd::Kind::exited) out.code = end.code;
  out.output = wire::clean_text(end.output, kMostOutputBytes);
  out.is_output_cut = end.is_cut;
  return out;
}

}  // namespace

class Executor::Flight {
 public:
  Flight(Executor& owner, ActionConfig action, Run run)
      : owner_(owner), action_(std::move(action)), run_(std::move(run)) {
    thread_ = std::thread([this] {
      hold_back_sigpipe();
      Outcome outcome = action_.webhook ? ask() : execute();
      owner_.end(run_.id, std::move(outcome));
      is_over_ = true;
    });
    pthread_setname_np(thread_.native_handle(), "action");
  }
  ~Flight() {
    if (thread_.joinable()) thread_.join();
  }

  bool is_over() const { return is_over_; }
  void cut() {
    is_cut_ = true;
    sockets_.cut();
  }

 private:
  Outcome execute() {
    Program program;
    ProgramCall call{.command = action_.command,
                     .environment = environment_of(run_),
                     .input = payload_of(run_),
                     .timeout = action_.timeout};
    call.keep = ProgramCall::Keep::everything;
    call.most_bytes = kMostOutputBytes;
    if (const auto started = program.start(std::move(call), Program::Clock::now()); !started)
      return failed(started.error().message);
    if (const auto end = run_to_end(program, is_cut_)) return outcome_of(*end, action_.timeout);
    Outcome out;
    out.reason = "the aggregator stopped while it ran";
    return out;
  }

  Outcome ask() {
    const auto headers = notify::webhook_headers(*action_.webhook, action_.at);
    if (!headers) return failed(headers.error().message);
    notify::Request request;
    request.url = action_.webhook->url;
    request.headers = notify::common_headers(run_.id, "application/json");
    request.headers.insert(request.headers.end(), headers->begin(), headers->end());
    request.body = payload_of(run_);
    const bool is_free = notify::may_be_private(request.url);
    notify::Transfer transfer;
    transfer.prepare(std::move(request), action_.timeout);
    sockets_.attach(transfer.handle(), is_free ? notify::Reach::everywhere : owner_.http_names_);
    const CURLcode code = curl_easy_perform(transfer.handle());
    Outcome out;
    if (const long status = transfer.status(); status != 0) out.code = static_cast<int>(status);
    out.output = wire::clean_text(transfer.shown_reply(), kMostOutputBytes);
    out.is_output_cut = transfer.reply().size() > kMostOutputBytes;
    const auto failure = transfer.judge(code);
    out.state = failure ? RunState::failed : RunState::succeeded;
    if (!failure) return out;
    const std::string refused = sockets_.refused();
    out.reason = out.code ? fmt::format("HTTP {}", *out.code) : failure->error;
    if (!out.code && was_reached(code)) out.state = RunState::unknown;
    out.has_not_begun = !out.code && !was_reached(code);
    if (!refused.empty())
      out.reason =
          fmt::format("the name in its URL leads to {}, a private address: see allow_private", refused);
    return out;
  }

  Executor& owner_;
  const ActionConfig action_;
  const Run run_;
  notify::Sockets sockets_;
  std::atomic<bool> is_cut_ = false;
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

Executor::Executor(ExecutorHooks hooks, notify::Reach http_names)
    : hooks_(std::move(hooks)), http_names_(http_names) {}

Executor::~Executor() {
  stop();
}

bool Executor::perform(const ActionConfig& action, const Run& run) {
  if (!action.agent.empty()) return ask(action, run);
  try {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    flights_[run.id] = std::make_unique<Flight>(*this, action, run);
  } catch (const std::system_error& error) {  // no more threads
    end(run.id, failed(fmt::format("it cannot be begun: {}", error.what())));
  }
  return true;
}

bool Executor::ask(const ActionConfig& action, const Run& run) {
  if (!hooks_.ask_agent) {
    end(run.id, failed("no agent can be asked"));
    return true;
  }
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    asked_[run.id] = {run.subject.host, Clock::now() + action.timeout, action.timeout};
  }
  hooks_.ask_agent({run.subject.host, run.id, action.agent, action.timeout},
                   [this, id = run.id](const std::string& why) {
                     {
                       const std::lock_guard lock(mutex_);
                       if (asked_.erase(id) == 0) return;
                     }
                     end(id, failed(why));
                   });
  return true;
}

void Executor::answered(const std::string& host, const std::string& run, Outcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = asked_.find(run);
    if (found == asked_.end() || found->second.host != host) return;  // nobody's, or another's
    asked_.erase(found);
  }
  end(run, std::move(outcome));
}

void Executor::end(const std::string& run, Outcome outcome) {
  hooks_.ended(run, std::move(outcome));
}

void Executor::look(Clock::time_point now) {
  std::vector<std::pair<std::string, Asked>> silent;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(flights_, [](const auto& entry) { return entry.second->is_over(); });
    for (auto& entry : asked_) {
      if (now >= entry.second.until && !std::exchange(entry.second.is_given_up, true))
        silent.push_back(entry);
    }
    std::erase_if(asked_, [now](const auto& entry) { return now >= entry.second.until + kBelieved; });
  }
  for (const auto& [id, asked] : silent) {
    Outcome out;
    out.reason =
        fmt::format("the agent of {} did not answer within {}", asked.host, format_duration(asked.timeout));
    end(id, std::move(out));
  }
}

void Executor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    asked_.clear();
  }
  const auto until = Clock::now() + kFarewell;
  const auto all_over = [this] {
    const std::lock_guard lock(mutex_);
    return std::all_of(flights_.begin(), flights_.end(),
                       [](const auto& entry) { return entry.second->is_over(); });
  };
  while (!all_over() && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::map<std::string, std::unique_ptr<Flight>> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(flights_);
  }
  for (const auto& [id, flight] : left) flight->cut();
}

}  // namespace vigil::actions
