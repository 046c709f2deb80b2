#include "aggregator/notify/courier.h"

#include "aggregator/notify/private_addresses.h"
#include "aggregator/notify/text.h"
#include "common/clock.h"
#include "common/log/log.h"
#include "common/patient_clock.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace vigil::notify {
namespace {

constexpr std::int64_t kIdleMs = 60'000;
constexpr std::int64_t kLookAtProgramMs = 20;
constexpr std::chrono::milliseconds kFarewell{2000};
constexpr std::chrono::milliseconds kLongestNote{10'000};  // then the next message goes out all the same

constexpr int kTemporaryFailure = 75;  // EX_TEMPFAIL of sysexits.h

/// What the end of a command means; nothing when it took the message. EX_TEMPFAIL, a signal and a timeout are
/// the receiver's state; another status is about this message.
std::optional<Failure> judge_end(const ProgramEnd& end, std::chrono::milliseconds timeout) {
  if (end.is_fine()) return std::nullopt;
  const std::string said = first_line(end.output);
  const bool is_refused = end.kind == ProgramEnd::Kind::exited && end.code != kTemporaryFailure;
  return Failure{is_refused ? FailureKind::refused : FailureKind::away,
                 to_string(end, timeout) + (said.empty() ? "" : ": " + said), 0};
}

}  // namespace

Courier::Courier(Endpoint endpoint, const CourierOptions& options, Notifier::Feedback feedback)
    : endpoint_(std::move(endpoint)),
      options_(options),
      feedback_(std::move(feedback)),
      multi_(curl_multi_init()),
      lane_({options.give_up_after_ms, endpoint_.burst, endpoint_.every.count()}) {
  stats_.receiver = endpoint_.name;
  stats_.kind = endpoint_.kind;
  stats_.takes_groups = endpoint_.takes_groups;
  stats_.min_severity = endpoint_.min_severity;
  gate_->courier = this;
}

Courier::~Courier() {
  {
    const std::lock_guard lock(gate_->mutex);
    gate_->courier = nullptr;
  }
  begin_stop();
  await_stop();
}

void Courier::start() {
  thread_ = std::thread([this] {
    run();
    auto multi = [this] {
      const std::lock_guard lock(mutex_);
      return std::move(multi_);
    }();
    multi.reset();  // says goodbye on idle connections, which may take as long as a transfer
    const std::lock_guard lock(mutex_);
    ended_ = true;
    ended_signal_.notify_all();
  });
  pthread_setname_np(thread_.native_handle(), "notify");
}

void Courier::begin_stop() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  leave_at_ = std::chrono::steady_clock::now() + kFarewell;
  stopping_ = true;  // after leave_at_, which the thread looks at once it sees this
  if (multi_) curl_multi_wakeup(multi_.get());
}

void Courier::await_stop() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    if (!ended_signal_.wait_until(lock, leave_at_, [this] { return ended_; })) sockets_.cut();
  }
  thread_.join();
}

std::vector<Row> Courier::take_left() {
  take_incoming();
  return lane_.take_all();
}

std::vector<ThreadChange> Courier::threads() const {
  std::vector<ThreadChange> out;
  for (const auto& [fingerprint, thread] : lane_.threads())
    out.push_back({endpoint_.name, fingerprint, thread});
  return out;
}

void Courier::count_from(const ReceiverStats& stats) {
  const std::lock_guard lock(mutex_);
  stats_.delivered = stats.delivered;
  stats_.failures = stats.failures;
  stats_.dead = stats.dead;
  stats_.last_error = stats.last_error;
  failing_ = !stats.last_error.empty();
}

/// All at once: what belongs together goes out together.
void Courier::enqueue(std::vector<Row> rows) {
  const std::lock_guard lock(mutex_);
  for (Row& row : rows) incoming_.push_back(std::move(row));
  if (multi_) curl_multi_wakeup(multi_.get());
}

void Courier::remember(ThreadChange thread) {
  const std::lock_guard lock(mutex_);
  remembered_.push_back(std::move(thread));
}

void Courier::recall(const GivenUp& lost) {
  const std::lock_guard lock(mutex_);
  stats_.dead += lost.messages;
  if (stats_.delivered == 0 && stats_.last_error.empty()) stats_.last_error = lost.error;
}

ReceiverStats Courier::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Courier::run() {
  hold_back_sigpipe();
  while (true) {
    take_incoming();
    if (!stopping_) send_what_is_due(wall_ms());
    if (stopping_ && (!on_the_wire_ || std::chrono::steady_clock::now() >= leave_at_)) break;
    do {  // an answer that came within the call would not wake the poll below
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
    } while (reap());
    look_at_program();
    std::vector<curl_waitfd> pipes;
    for (const pollfd& pipe : program_.waits()) pipes.push_back({pipe.fd, pipe.events, 0});
    curl_multi_poll(multi_.get(), pipes.data(), static_cast<unsigned>(pipes.size()), wait_ms(wall_ms()),
                    nullptr);
  }
  program_.kill();
  if (on_the_wire_) {
    sockets_.cut();  // a goodbye in mid-sentence would be waited for
    curl_multi_remove_handle(multi_.get(), transfer_.handle());
  }
}

void Courier::take_incoming() {
  std::vector<Row> rows;
  std::vector<ThreadChange> threads;
  {
    const std::lock_guard lock(mutex_);
    rows.swap(incoming_);
    threads.swap(remembered_);
  }
  for (const ThreadChange& thread : threads) lane_.remember(thread);
  for (Row& row : rows) lane_.enqueue(std::move(row));
}

/// Not before the last delivery is noted: a crash then repeats one message, not several.
bool Courier::may_send(std::chrono::steady_clock::time_point now) const {
  return gate_->closed == 0 || now >= gate_opens_at_;
}

void Courier::send_what_is_due(std::int64_t now_ms) {
  if (!on_the_wire_ && may_send(std::chrono::steady_clock::now())) {
    on_the_wire_ = lane_.next(now_ms);
    while (on_the_wire_ && on_the_wire_->is_empty()) {
      pass_on({lane_.give_up(*on_the_wire_, "it names no alert")});
      on_the_wire_ = lane_.next(now_ms);
    }
    if (on_the_wire_) {
      Request request = endpoint_.render(*on_the_wire_, now_ms);
      note_fault(request.fault);
      begin(std::move(request));
    }
  }
  const std::lock_guard lock(mutex_);
  stats_.queued = lane_.size();
}

/// Logged once: until its configuration is another one it is the same with each message.
void Courier::note_fault(const std::string& fault) {
  fault_ = fault;
  if (fault.empty() || !options_.logs || std::exchange(fault_is_logged_, true)) return;
  log::warn("notify", "a message is not what the configuration of its channel wants",
            {{"receiver", endpoint_.name}, {"error", fault}});
}

void Courier::begin(Request request) {
  const auto timeout = request.timeout.count() > 0 ? request.timeout : options_.timeout;
  if (request.protocol == Protocol::command) {
    program_timeout_ = timeout;
    const auto started = program_.start({.command = std::move(request.command),
                                         .environment = std::move(request.environment),
                                         .input = std::move(request.body),
                                         .timeout = timeout},
                                        Program::Clock::now());
    if (!started) finish(Failure{FailureKind::away, started.error().message, 0});
    return;
  }
  const bool is_free = request.protocol == Protocol::smtp || may_be_private(request.url);
  transfer_.prepare(std::move(request), timeout);
  sockets_.attach(transfer_.handle(), is_free ? Reach::everywhere : options_.http_names);
  if (curl_multi_add_handle(multi_.get(), transfer_.handle()) != CURLM_OK) finish(judge(CURLE_FAILED_INIT));
}

std::optional<Failure> Courier::judge(CURLcode code) const {
  auto failure = transfer_.judge(code);
  const std::string refused = sockets_.refused();
  if (failure && !refused.empty() && code != CURLE_OK)
    failure->error = fmt::format(
        "the name in its URL leads to {}, a private address: allow it with notifications.allow_private, "
        "write the "
        "address, or use https",
        refused);
  return failure;
}

void Courier::look_at_program() {
  if (const auto end = program_.step(Program::Clock::now())) finish(judge_end(*end, program_timeout_));
}

/// Takes what curl has finished, and begins what is next; whether there is any.
bool Courier::reap() {
  int left = 0;
  bool any = false;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi_.get(), transfer_.handle());
    hear(code);
    any = true;
  }
  if (any && !stopping_) send_what_is_due(wall_ms());
  return any && on_the_wire_;
}

/// A message of several requests is on the wire until the last one is answered.
void Courier::hear(CURLcode code) {
  if (const auto failure = judge(code)) return finish(failure);
  Verdict verdict = transfer_.judge_answer();
  if (!verdict.failure && verdict.next) return begin(std::move(*verdict.next));
  finish(verdict.failure, std::move(verdict.thread));
}

void Courier::finish(const std::optional<Failure>& failure, std::optional<ThreadChange> thread) {
  const Shipment shipment = std::move(*on_the_wire_);
  on_the_wire_.reset();
  const std::int64_t now = wall_ms();
  if (!failure) {
    if (std::exchange(failing_, false) && options_.logs)
      log::info("notify", "receiver accepts messages again", {{"receiver", endpoint_.name}});
    Delivery delivery = lane_.delivered(shipment, now);
    if (thread) lane_.remember(*thread);
    delivery.thread = std::move(thread);
    delivery.error = fault_;
    tell({std::move(delivery)}, "");
    return;
  }
  if (!std::exchange(failing_, true) && options_.logs) {
    log::warn("notify", "receiver does not accept a message; it will be tried again",
              {{"receiver", endpoint_.name}, {"error", failure->error}});
  }
  const double random = static_cast<double>(random_() - std::minstd_rand::min()) /
                        static_cast<double>(std::minstd_rand::max() - std::minstd_rand::min());
  tell(lane_.failed(shipment, *failure, now, random, patient_wall_ms()), failure->error);
}

void Courier::tell(std::vector<Delivery> deliveries, const std::string& error) {
  {
    const std::lock_guard lock(mutex_);
    ++(error.empty() ? stats_.delivered : stats_.failures);
    stats_.last_error = error;
    stats_.queued = lane_.size();
  }
  pass_on(std::move(deliveries));
}

void Courier::pass_on(std::vector<Delivery> deliveries) {
  {
    const std::lock_guard lock(mutex_);
    for (const Delivery& delivery : deliveries) {
      if (delivery.outcome == Outcome::dead) stats_.dead += delivery.ids.size();
    }
  }
  for (Delivery& delivery : deliveries) {
    if (delivery.outcome == Outcome::dead && options_.logs) {
      log::error(
          "notify", "messages could not be delivered and are given up",
          {{"receiver", endpoint_.name}, {"messages", delivery.ids.size()}, {"error", delivery.error}});
    }
    // What could not be stored is not noted either.
    const bool is_stored = std::ranges::any_of(delivery.ids, [](std::int64_t id) { return id != 0; });
    if (delivery.outcome == Outcome::delivered && is_stored) {
      ++gate_->closed;
      gate_opens_at_ = std::chrono::steady_clock::now() + kLongestNote;
      delivery.noted = [gate = gate_] {
        --gate->closed;
        const std::lock_guard lock(gate->mutex);
        if (gate->courier != nullptr) gate->courier->enqueue({});  // wakes it
      };
    }
    feedback_(std::move(delivery));
  }
}

int Courier::wait_ms(std::int64_t now_ms) const {
  std::int64_t wait = stopping_ ? 50 : kIdleMs;
  if (program_.is_running()) wait = kLookAtProgramMs;
  const auto now = std::chrono::steady_clock::now();
  if (!on_the_wire_ && !may_send(now)) {
    const auto left = gate_opens_at_ - now;
    return static_cast<int>(
        std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0, wait));
  }
  if (!on_the_wire_) {
    if (const auto wake = lane_.wake_ms(now_ms))
      wait = std::min(wait, std::max<std::int64_t>(*wake - now_ms, 0));
  }
  return static_cast<int>(wait);
}

}  // namespace vigil::notify
