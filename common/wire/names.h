// Which names and texts may travel. Metric and label names are Prometheus's classic character set; texts are
// UTF-8, since protobuf refuses a whole message for one bad byte, and /proc promises no encoding at all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vigil::wire {

inline constexpr int kMaxMessageBytes = 1 << 20;    // of one message of the stream, either way
inline constexpr std::size_t kMaxNameBytes = 128;   // metric and label names, job
inline constexpr std::size_t kMaxValueBytes = 256;  // label values
inline constexpr std::size_t kMaxHostBytes = 253;   // Hello.name, the longest DNS name

/// [a-zA-Z_:][a-zA-Z0-9_:]*, at most kMaxNameBytes.
bool valid_metric_name(std::string_view name);
/// [a-zA-Z_][a-zA-Z0-9_]*, at most kMaxNameBytes, not starting with "__" (those are internal to the
/// aggregator).
bool valid_label_name(std::string_view name);
/// [A-Za-z0-9._:-]+, at most kMaxHostBytes: what becomes the label instance.
bool valid_host_name(std::string_view name);

/// Each byte that is no part of a UTF-8 character becomes U+FFFD, and the text is cut to `max_bytes` between
/// characters.
std::string clean_text(std::string_view text, std::size_t max_bytes = kMaxValueBytes);
/// Each character a metric or label name may not have becomes '_', and it is cut to kMaxNameBytes; never
/// empty.
std::string clean_name(std::string_view name);

}  // namespace vigil::wire
