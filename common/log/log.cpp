#include "common/log/log.h"

#include "common/text/utf8.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace vigil::log {
namespace {

constexpr std::size_t kMostSentenceBytes = 2048;  // libraries put what strangers sent into theirs

/// The priority systemd reads from the start of a line, sd-daemon(3).
class JournalPriority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string_view priority = "<6>";
    if (message.level == spdlog::level::debug) priority = "<7>";
    if (message.level == spdlog::level::warn) priority = "<4>";
    if (message.level == spdlog::level::err) priority = "<3>";
    out.append(priority.data(), priority.data() + priority.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JournalPriority>();
  }
};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> make_logger() {
  auto logger = std::make_shared<spdlog::logger>("vigil", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (std::getenv("JOURNAL_STREAM") != nullptr) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<JournalPriority>('*').set_pattern("%*%v");
    logger->set_formatter(std::move(formatter));
  } else {
    auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-5l %v");
    logger->set_formatter(std::move(formatter));
  }
  logger->set_level(spdlog::level::info);
  logger->flush_on(spdlog::level::debug);
  return logger;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = make_logger();
  return *instance;
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == '\x7f') return true;
  }
  return printable(value) != value;
}

void append_hex(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
}

/// What came from outside may be no text at all, and no terminal may take it for commands, nor a reader for a
/// line of its own. `quoted`: within quotes, so that these are escaped too.
void append_safe(std::string& out, std::string_view text, bool quoted) {
  while (!text.empty()) {
    const std::string_view character = text.substr(0, std::max<std::size_t>(character_length(text), 1));
    text.remove_prefix(character.size());
    if (quoted && (character == "\"" || character == "\\")) {
      out.append(1, '\\').append(character);
    } else if (character == "\n") {
      out += "\\n";
    } else if (printable(character) == character) {
      out += character;
    } else {
      append_hex(out, character);
    }
  }
}

void append_value(std::string& out, std::string_view value) {
  if (!needs_quotes(value)) {
    out += value;
    return;
  }
  out += '"';
  append_safe(out, value, true);
  out += '"';
}

}  // namespace

Result<Level> parse_level(std::string_view text) {
  if (text == "debug") return Level::debug;
  if (text == "info") return Level::info;
  if (text == "warn") return Level::warn;
  if (text == "error") return Level::error;
  return fail(Errc::parse, "'{}' is not a log level; use debug, info, warn or error", text);
}

void set_level(Level level) {
  logger().set_level(to_spdlog(level));
}

std::string format_line(std::string_view component, std::string_view sentence, Fields fields) {
  std::string line = fmt::format("{}: ", component);
  append_safe(line, sentence.substr(0, kMostSentenceBytes), false);
  if (sentence.size() > kMostSentenceBytes)
    line += fmt::format("… ({} bytes more)", sentence.size() - kMostSentenceBytes);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key();
    line += '=';
    append_value(line, field.value());
  }
  return line;
}

void write(Level level, std::string_view component, std::string_view sentence, Fields fields) {
  const auto at = to_spdlog(level);
  if (logger().should_log(at)) logger().log(at, format_line(component, sentence, fields));
}

}  // namespace vigil::log
