#include "aggregator/notify/slack_bot.h"

#include "aggregator/notify/json_parts.h"
#include "aggregator/notify/message.h"
#include "aggregator/notify/requests.h"
#include "aggregator/notify/text.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <memory>
#include <utility>

namespace vigil::notify {
namespace {

namespace json = boost::json;

constexpr std::string_view kPost = "/chat.postMessage";
constexpr std::string_view kUpdate = "/chat.update";
constexpr std::string_view kJson = "application/json; charset=utf-8";
constexpr std::size_t kErrorBytes = 200;

/// What is known of Slack's errors. One that is not listed is about the message.
struct KnownError {
  std::string_view name;
  FailureKind kind;
  std::string_view hint;
};
constexpr KnownError kErrors[] = {
    {"invalid_auth", FailureKind::away, "the token is not valid"},
    {"not_authed", FailureKind::away, "no token was sent"},
    {"token_revoked", FailureKind::away, "the token was revoked"},
    {"token_expired", FailureKind::away, "the token has expired"},
    {"account_inactive", FailureKind::away, "the bot or its workspace is gone"},
    {"missing_scope", FailureKind::away, "the bot needs the scope chat:write"},
    {"not_allowed_token_type", FailureKind::away, "the token must be a bot's: xoxb-..."},
    {"no_permission", FailureKind::away, ""},
    {"access_denied", FailureKind::away, ""},
    {"accesslimited", FailureKind::away, ""},
    {"ekm_access_denied", FailureKind::away, ""},
    {"ratelimited", FailureKind::away, ""},
    {"rate_limited", FailureKind::away, ""},
    {"fatal_error", FailureKind::away, ""},
    {"internal_error", FailureKind::away, ""},
    {"service_unavailable", FailureKind::away, ""},
    {"request_timeout", FailureKind::away, ""},
    {"team_added_to_org", FailureKind::away, ""},
    // About the message: a template may write another channel for another one.
    {"channel_not_found", FailureKind::refused, "there is no such channel, or the bot is not in it"},
    {"not_in_channel", FailureKind::refused, "invite the bot to the channel"},
    {"is_archived", FailureKind::refused, "the channel is archived"}};

/// Nothing can be done with the message or its thread any more.
constexpr std::string_view kGone[] = {"message_not_found",
                                      "cant_update_message",
                                      "edit_window_closed",
                                      "thread_not_found",
                                      "cannot_reply_to_message",
                                      "restricted_action_thread_locked",
                                      "restricted_action_non_threadable_channel",
                                      "channel_not_found",
                                      "not_in_channel",
                                      "is_archived"};

/// All that the requests of one message are made of.
struct Plan {
  SlackBot bot;
  std::vector<std::string> headers;
  json::object message;  // of all alerts
  json::object reply;    // of what changed; where there is a thread
  std::optional<MessageThread> thread;
  ThreadChange after;               // receiver and fingerprint
  std::vector<std::string> firing;  // keys of the alerts that fire
  bool is_remembered = false;
};
using PlanPtr = std::shared_ptr<const Plan>;

struct Said {
  std::optional<Failure> failure;
  std::string error;
  std::string channel;
  std::string message;
};

Failure failure_of(const json::object& answer, const std::string& error, std::int64_t retry_after_ms) {
  Failure failure{FailureKind::refused, "Slack says " + printable(cut(error, kErrorBytes)), retry_after_ms};
  const auto known = std::find_if(std::begin(kErrors), std::end(kErrors),
                                  [&error](const KnownError& each) { return each.name == error; });
  if (known != std::end(kErrors)) {
    failure.kind = known->kind;
    if (!known->hint.empty()) failure.error += fmt::format(": {}", known->hint);
  }
  if (const std::string needed = text_at(answer, "needed"); !needed.empty())
    failure.error += fmt::format(" (needed: {})", printable(cut(needed, kErrorBytes)));
  return failure;
}

Said read(const Answer& answer) {
  Said said;
  const auto parsed = parse_object(answer.body, "answer");
  if (!parsed) {  // of somebody between Slack and here
    said.failure =
        Failure{FailureKind::away, "Slack's answer is no JSON: " + printable(cut(answer.body, kErrorBytes)),
                answer.retry_after_ms};
    return said;
  }
  said.channel = text_at(*parsed, "channel");
  said.message = text_at(*parsed, "ts");
  const json::value* ok = parsed->if_contains("ok");
  if (ok != nullptr && ok->is_bool() && ok->get_bool()) return said;
  said.error = text_at(*parsed, "error");
  said.failure = failure_of(*parsed, said.error, answer.retry_after_ms);
  return said;
}

bool is_gone(const Said& said) {
  return std::find(std::begin(kGone), std::end(kGone), said.error) != std::end(kGone);
}

Request request_to(const Plan& plan, std::string_view method, const json::object& body) {
  Request request = plan.bot.base;
  request.url = plan.bot.api + std::string(method);
  request.headers = plan.headers;
  request.body = json::serialize(body);
  return request;
}

/// `now`: where the incident is told from now on.
Verdict delivered(const Plan& plan, MessageThread now) {
  Verdict verdict;
  if (!plan.is_remembered) return verdict;
  now.firing = plan.firing;
  const bool is_kept = !now.firing.empty() && !now.channel.empty() && !now.message.empty();
  if (!is_kept && !plan.thread) return verdict;
  verdict.thread = plan.after;
  if (is_kept) verdict.thread->now = std::move(now);
  return verdict;
}

Verdict failed(Failure failure) {
  Verdict verdict;
  verdict.failure = std::move(failure);
  return verdict;
}

Verdict then(Request request) {
  Verdict verdict;
  verdict.next = std::make_unique<Request>(std::move(request));
  return verdict;
}

Request post(const PlanPtr& plan) {
  Request request = request_to(*plan, kPost, plan->message);
  request.judge = [plan](const Answer& answer) {
    Said said = read(answer);
    if (said.failure) return failed(std::move(*said.failure));
    return delivered(*plan, {std::move(said.channel), std::move(said.message), {}});
  };
  return request;
}

Request reply(const PlanPtr& plan) {
  json::object body = plan->reply;
  body["channel"] = plan->thread->channel;
  body["thread_ts"] = plan->thread->message;
  Request request = request_to(*plan, kPost, body);
  request.judge = [plan](const Answer& answer) {
    Said said = read(answer);
    if (is_gone(said)) return then(post(plan));
    if (said.failure) return failed(std::move(*said.failure));
    return delivered(*plan, *plan->thread);
  };
  return request;
}

Request update(const PlanPtr& plan) {
  json::object body = plan->message;
  for (const std::string_view whose : {"username", "icon_emoji", "icon_url"}) body.erase(whose);
  body["channel"] = plan->thread->channel;
  body["ts"] = plan->thread->message;
  Request request = request_to(*plan, kUpdate, body);
  request.judge = [plan](const Answer& answer) {
    Said said = read(answer);
    if (is_gone(said)) return then(post(plan));
    if (said.failure) return failed(std::move(*said.failure));
    return then(reply(plan));
  };
  return request;
}

/// What who was told by `before` does not know yet.
SlackChange change_since(const MessageThread& before, const std::vector<Notification>& alerts) {
  SlackChange change;
  std::vector<Notification> over;
  change.is_over = true;
  for (const Notification& alert : alerts) {
    if (alert.kind == Kind::resolved) {
      over.push_back(alert);
      continue;
    }
    change.is_over = false;
    if (std::find(before.firing.begin(), before.firing.end(), alert.key) == before.firing.end())
      change.alerts.push_back(alert);
  }
  change.begun = change.alerts.size();
  change.alerts.insert(change.alerts.end(), over.begin(), over.end());
  return change;
}

/// Without a change it is a reminder, which says all of it again.
json::object reply_of(const json::object& message, const SlackChange& change) {
  json::object body = change.alerts.empty() ? message : slack_change(change);
  for (const std::string_view key : {"username", "icon_emoji", "icon_url", "metadata"}) {
    if (const json::value* value = message.if_contains(key)) body[key] = *value;
  }
  if (change.begun > 0 || change.alerts.empty()) body["reply_broadcast"] = true;
  return body;
}

}  // namespace

std::optional<std::string> slack_api_of(std::string_view url) {
  if (!url.ends_with(kPost)) return std::nullopt;
  return std::string(url.substr(0, url.size() - kPost.size()));
}

Request slack_request(const SlackBot& bot, const Shipment& shipment, boost::json::object message,
                      const std::vector<Notification>& alerts) {
  const Row& first = shipment.rows.front();
  auto plan = std::make_shared<Plan>();
  plan->bot = bot;
  plan->headers = common_headers(shipment, kJson);
  plan->headers.insert(plan->headers.end(), bot.base.headers.begin(), bot.base.headers.end());
  // By which programs that read the channel can tell that a message is there twice.
  message["metadata"] = {
      {"event_type", "vigil_alert"},
      {"event_payload",
       {{"key", printable(shipment.key())}, {"fingerprint", printable(first.note.fingerprint)}}}};
  plan->after = {first.receiver, first.note.fingerprint, std::nullopt};
  const bool is_digest = shipment.rows.size() > 1 && !first.group;
  plan->is_remembered = bot.has_threads && !is_digest;
  if (plan->is_remembered) plan->thread = shipment.thread;
  for (const Notification& alert : alerts) {
    if (alert.kind == Kind::firing) plan->firing.push_back(alert.key);
  }
  if (plan->thread) plan->reply = reply_of(message, change_since(*plan->thread, alerts));
  plan->message = std::move(message);
  return plan->thread ? update(plan) : post(plan);
}

}  // namespace vigil::notify
