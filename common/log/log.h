// Structured log lines on stderr: a level, a component, a sentence, and key=value pairs.
//
//   log::info("ingest", "agent connected", {{"host", name}, {"version", version}});
//   2026-11-21T14:00:05.250Z info  ingest: agent connected host=web-1 version=0.1.0
//
// Under systemd (JOURNAL_STREAM is set) lines start with the journal's priority, "<6>", and carry no time of
// their own (sd-daemon(3)). A line stays one line, whatever bytes are in it. Thread-safe. Log an error once,
// where it is handled.
#pragma once

#include "common/error.h"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace vigil::log {

enum class Level : std::uint8_t { debug, info, warn, error };

/// "debug", "info", "warn" or "error".
Result<Level> parse_level(std::string_view text);

class Field {
 public:
  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  Field(std::string_view key, const char* value) : key_(key), value_(value) {}
  Field(std::string_view key, const Error& error) : key_(key), value_(error.message) {}
  template <class Number>
  requires std::integral<Number> || std::floating_point<Number> Field(std::string_view key, Number value)
      : key_(key), value_(fmt::format("{}", value)) {}
  std::string_view key() const { return key_; }
  const std::string& value() const { return value_; }

 private:
  std::string_view key_;
  std::string value_;
};

using Fields = std::initializer_list<Field>;

/// Lines below `level` are dropped; the default is info.
void set_level(Level level);

void write(Level level, std::string_view component, std::string_view sentence, Fields fields);
inline void debug(std::string_view component, std::string_view sentence, Fields fields = {}) {
  write(Level::debug, component, sentence, fields);
}
inline void info(std::string_view component, std::string_view sentence, Fields fields = {}) {
  write(Level::info, component, sentence, fields);
}
inline void warn(std::string_view component, std::string_view sentence, Fields fields = {}) {
  write(Level::warn, component, sentence, fields);
}
inline void error(std::string_view component, std::string_view sentence, Fields fields = {}) {
  write(Level::error, component, sentence, fields);
}

/// The text after the time and level: for tests. Values with spaces, quotes or control characters are quoted
/// and escaped, so that one event is one line whatever an outside name contains.
std::string format_line(std::string_view component, std::string_view sentence, Fields fields);

}  // namespace vigil::log
