#include "aggregator/access/limits.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace vigil::aggregator::access {
namespace {

/// "1.2.3.4:5" -> "1.2.3.4", "[::1]:5" -> "::1"; what has no port stays as it is.
std::string bare(std::string_view address) {
  if (address.starts_with('[')) return std::string(address.substr(1, address.find(']') - 1));
  const auto colon = address.find(':');
  const bool has_port = colon != std::string_view::npos && colon == address.rfind(':');
  return std::string(address.substr(0, has_port ? colon : std::string_view::npos));
}

}  // namespace

/// A clock that was set back gives nothing. But time counts from there on, or nobody came in until it is as
/// late again as it was.
void Buckets::refill(Bucket& bucket, std::int64_t now_ms) const {
  const auto passed = static_cast<double>(std::max<std::int64_t>(now_ms - bucket.at_ms, 0)) / 1000;
  bucket.left = std::min(options_.most, bucket.left + passed * options_.per_second);
  bucket.at_ms = now_ms;
}

bool Buckets::take(const std::string& key, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    if (buckets_.size() >= options_.keys) {
      buckets_.erase(order_.back());
      order_.pop_back();
    }
    order_.push_front(key);
    found = buckets_.emplace(key, Bucket{options_.most, now_ms, order_.begin()}).first;
  } else {
    order_.splice(order_.begin(), order_, found->second.place);
  }
  Bucket& bucket = found->second;
  refill(bucket, now_ms);
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

std::int64_t Buckets::wait_ms(const std::string& key, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto found = buckets_.find(key);
  if (found == buckets_.end()) return 0;
  refill(found->second, now_ms);
  const double missing = 1 - found->second.left;
  return missing <= 0 ? 0 : static_cast<std::int64_t>(std::ceil(missing / options_.per_second * 1000));
}

std::size_t Buckets::size() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

std::optional<std::uint64_t> FewLines::take(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (lines_.take("", now_ms)) return std::exchange(left_out_, 0);
  ++left_out_;
  return std::nullopt;
}

std::string source_of(std::string_view address) {
  std::string text = bare(address);
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return text;
  constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin()))
    return fmt::format("{}.{}.{}.{}", bytes[12], bytes[13], bytes[14], bytes[15]);
  return fmt::format("{:x}:{:x}:{:x}:{:x}", bytes[0] << 8 | bytes[1], bytes[2] << 8 | bytes[3],
                     bytes[4] << 8 | bytes[5], bytes[6] << 8 | bytes[7]);
}

bool is_loopback_address(std::string_view address) {
  std::string text = bare(address);
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return bytes[0] == 127;
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return false;
  if (std::all_of(bytes.begin(), bytes.begin() + 15, [](unsigned char c) { return c == 0; }))
    return bytes[15] == 1;
  constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  return std::equal(kMapped.begin(), kMapped.end(), bytes.begin()) && bytes[12] == 127;
}

bool names_loopback(std::string_view host) {
  if (is_loopback_address(host)) return true;
  std::string_view name = host.substr(0, host.rfind(':'));
  if (name.ends_with('.')) name.remove_suffix(1);
  constexpr std::string_view kLocal = "localhost";
  if (name.size() < kLocal.size()) return false;
  const std::string_view tail = name.substr(name.size() - kLocal.size());
  const bool is_local =
      std::equal(tail.begin(), tail.end(), kLocal.begin(), [](char a, char b) { return (a | 0x20) == b; });
  return is_local && (name.size() == kLocal.size() || name[name.size() - kLocal.size() - 1] == '.');
}

}  // namespace vigil::aggregator::access
