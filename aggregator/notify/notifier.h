// Delivers notifications: a courier per receiver, with its thread, its lane and its connection.
//
// A lane sends one message at a time and keeps the order in which they were queued, so that "resolved" never
// overtakes "firing". A receiver that is away (network error, timeout, 5xx, 429) makes its lane wait, with
// exponential back-off and full jitter, 1 s to 10 min, or as long as Retry-After says; one that refuses a
// message (other 4xx, SMTP 5xx) makes that alert's messages wait. After `give_up_after` a message is dead.
// More than 20 messages of one rule within a minute become one digest. Nothing is dropped: what is not sent
// at stop() is in the outbox and comes back at the next start.
#pragma once

#include "aggregator/notify/config.h"
#include "aggregator/notify/endpoint.h"
#include "aggregator/notify/notification.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::notify {

inline constexpr std::chrono::milliseconds kLongestTest{20'000};

struct ReceiverStats {
  std::string receiver;
  std::string kind;             // as Endpoint has it; "gone": not configured any more
  bool takes_groups = false;    // a channel of alertmanager.yml: "ops/slack[0]"
  std::uint64_t delivered = 0;  // messages accepted by the receiver
  std::uint64_t failures = 0;   // attempts that failed
  std::uint64_t dead = 0;       // given up, also by earlier runs
  std::uint64_t queued = 0;
  std::string last_error;                  // of the latest attempt; "" when it succeeded
  Severity min_severity = Severity::info;  // the least that it is told of
};

/// What an earlier run gave up and nobody sent again.
struct GivenUp {
  std::string receiver;  // the endpoint's name
  std::uint64_t messages = 0;
  std::string error;  // of the latest one; "" when the receiver took a message after that
  friend bool operator==(const GivenUp&, const GivenUp&) = default;
};

/// What one channel answered to a test.
struct TestAnswer {
  std::string channel;  // the endpoint's name
  std::string kind;
  std::string error;         // "": it took the message
  std::int64_t took_ms = 0;  // until the answer
};

class Notifier {
 public:
  /// Called on a courier's thread, or enqueue()'s; must not block.
  using Feedback = std::function<void(Delivery)>;

  /// Reads secret files. Errc::invalid_argument names the receiver.
  /// `for_groups`: endpoints besides those of the configuration's receivers.
  static Result<std::unique_ptr<Notifier>> create(const NotificationsConfig& config,
                                                  std::vector<Endpoint> for_groups, Feedback feedback);
  virtual ~Notifier() = default;

  virtual void start() = 0;
  /// Lets messages on the wire finish for up to two seconds, then cuts their connections and ends the
  /// threads.
  virtual void stop() = 0;

  /// Other endpoints for groups, in the place of all there are; what waited goes to those of the same names.
  /// Messages on the wire may finish as at stop(). One thread at a time, and not beside stop().
  virtual void replace_for_groups(std::vector<Endpoint> endpoints) = 0;

  /// Any thread. Rows of a receiver that is not configured (any more) are dead at once.
  virtual void enqueue(std::vector<Row> rows) = 0;

  /// Any thread, before the rows about them: threads of earlier runs. Those of receivers that are not
  /// configured any more are left out.
  virtual void remember(std::vector<ThreadChange> threads) = 0;

  /// Any thread, before the rows: a receiver's losses and its failing outlive a restart.
  virtual void recall(const std::vector<GivenUp>& losses) = 0;

  /// Those that want to hear of it only once it has fired so long and nobody acknowledged it.
  struct Late {
    std::string receiver;
    std::chrono::milliseconds after{};
  };
  virtual std::vector<Late> late_targets(const Notification& notification) const = 0;

  /// Names of the receivers that want to hear of a single alert, and of this one. Any thread.
  virtual std::vector<std::string> targets(const Notification& notification) const = 0;

  virtual std::vector<ReceiverStats> stats() const = 0;

  /// Sends a test message to each channel of a receiver, or to the one channel of this name, besides what
  /// waits for it: that it fires, and, where it takes that, that it is over. Blocks until all have answered,
  /// at most kLongestTest; `is_cancelled` is asked now and then. Errc::not_found names those there are,
  /// Errc::conflict: another test runs.
  virtual Result<std::vector<TestAnswer>> test(const std::string& receiver,
                                               const std::function<bool()>& is_cancelled) = 0;
};

}  // namespace vigil::notify
