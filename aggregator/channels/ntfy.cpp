// ntfy: what it calls publishing as JSON, to the root of a server.
#include "aggregator/channels/backlog.h"
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/notify/requests.h"
#include "aggregator/notify/text.h"
#include "common/text/ascii.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace vigil::channels {
namespace {

namespace json = boost::json;

// In bytes, as ntfy counts. A longer message becomes an attachment, where the server takes any.
constexpr std::size_t kNtfyMessageBytes = 4'096;
constexpr std::size_t kNtfyTitleBytes = 250;
constexpr std::size_t kNtfyNotesBytes = 1'000;
constexpr std::size_t kNtfyTagBytes = 100;
constexpr std::size_t kNtfyTopicChars = 64;

constexpr std::pair<std::string_view, int> kPriorities[] = {
    {"1", 1},   {"2", 2},       {"3", 3},    {"4", 4},   {"5", 5},     {"min", 1},
    {"low", 2}, {"default", 3}, {"high", 4}, {"max", 5}, {"urgent", 5}};

struct NtfyTexts {
  std::string topic;
  Wording title, message, priority, click;
  std::vector<Wording> tags;
};

/// What was said, if it is a priority; otherwise what the severity asks for.
int priority_of(std::string_view said, const notify::Group& group) {
  for (const auto& [word, priority] : kPriorities) {
    if (word == said) return priority;
  }
  if (!is_firing(group)) return 3;
  switch (notify::parse_severity(worst_of(group).severity)) {
    case notify::Severity::critical:
      return 5;
    case notify::Severity::warning:
      return 4;
    case notify::Severity::info:
      break;
  }
  return 3;
}

/// ntfy keeps tags as one text with commas between them.
json::array tags_of(const NtfyTexts& texts, Writer& write) {
  json::array out;
  for (const Wording& tag : texts.tags) {
    std::string text = notify::cut(notify::one_line(write.text(tag)), kNtfyTagBytes);
    std::replace(text.begin(), text.end(), ',', ' ');
    if (text.find_first_not_of(' ') != std::string::npos) out.emplace_back(std::move(text));
  }
  return out;
}

json::object ntfy_message(const NtfyTexts& texts, const Told& told) {
  Writer write(told);
  const std::string title = write.text(texts.title);
  const std::string message = write.text(texts.message);
  const std::string click = write.text(texts.click);
  const int priority = priority_of(write.text(texts.priority), told.group);
  json::array tags = tags_of(texts, write);
  const std::string notes = write.notes().empty() ? "" : '\n' + notify::cut(write.notes(), kNtfyNotesBytes);
  json::object out{{"topic", texts.topic},
                   {"title", notify::cut(notify::one_line(title), kNtfyTitleBytes)},
                   {"message", notify::cut(message, kNtfyMessageBytes - notes.size()) + notes},
                   {"priority", priority},
                   {"tags", std::move(tags)}};
  if (notify::check_url(click)) out["click"] = click;
  return out;
}

std::string read_topic(const Site& site, const routing::Secret& topic) {
  std::string name = read(site, "topic", topic);
  const bool is_fine =
      !name.empty() && name.size() <= kNtfyTopicChars &&
      std::all_of(name.begin(), name.end(), [](char c) { return is_digit(c) || is_letter(c) || c == '-'; });
  if (!is_fine && !(name.empty() && !topic.file.empty()))
    site.wrong(topic.file.empty() ? "topic" : "topic_file",
               "is no topic: at most 64 letters, digits, _ and -");
  return name;
}

NtfyTexts ntfy_texts(const Site& site, const routing::NtfyChannel& channel, const Making& making) {
  const Texts texts(channel.at, making);
  NtfyTexts out{read_topic(site, channel.topic),
                texts("title", channel.title, R"({{ template "ntfy.default.title" . }})"),
                texts("message", channel.message, R"({{ template "ntfy.default.message" . }})"),
                texts("priority", channel.priority),
                texts("click", channel.click, R"({{ template "ntfy.default.click" . }})"),
                {}};
  if (channel.tags.empty()) {
    out.tags.push_back(texts("tags", std::nullopt, R"({{ template "ntfy.default.tag" . }})"));
    return out;
  }
  for (std::size_t i = 0; i < channel.tags.size(); ++i)
    out.tags.push_back(texts(fmt::format("tags[{}]", i), channel.tags[i]));
  return out;
}

}  // namespace

Render make_ntfy(const routing::NtfyChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  NtfyTexts texts = ntfy_texts(site, channel, making);
  auto http = channel.http;
  if (!channel.token.empty()) {
    if (!http) http.emplace();
    http->basic_auth.reset();  // the file's, for all
    http->authorization =
        routing::Authorization{.credentials = {.value = read(site, "token", channel.token), .file = ""}};
  }
  std::string url = read_url(site, "url", {.value = channel.url, .file = ""});
  notify::Request base = http_request(site, std::move(url), http);
  base.secrets = {texts.topic};
  return [base, texts = std::move(texts), external_url = making.external_url](
             const notify::Shipment& shipment, std::int64_t now_ms) {
    return with_body(base, shipment, ntfy_message(texts, Told(shipment, now_ms, external_url)));
  };
}

}  // namespace vigil::channels
