#include "aggregator/promql/storage.h"

#include <re2/re2.h>

#include <optional>
#include <unordered_set>

namespace vigil::promql {
namespace {

constexpr std::int64_t kMaxRegexMemory = 8 << 20;

/// The alternatives of a pattern that is nothing but plain texts, as dashboards make them of a list of hosts:
/// looking one up costs the same however many there are.
std::optional<std::unordered_set<std::string>> plain_texts(const std::string& pattern) {
  if (pattern.find_first_of("\\.+*?()[]{}^$") != std::string::npos) return std::nullopt;
  std::unordered_set<std::string> texts;
  for (std::size_t from = 0; from <= pattern.size();) {
    const std::size_t to = std::min(pattern.find('|', from), pattern.size());
    texts.insert(pattern.substr(from, to - from));
    from = to + 1;
  }
  return texts;
}

}  // namespace

struct Matcher::Regex {
  Regex(const std::string& pattern, const re2::RE2::Options& options)
      : re(pattern, options), texts(plain_texts(pattern)) {}
  bool matches(std::string_view value) const {
    if (texts) return texts->contains(std::string(value));
    return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), re);
  }
  const re2::RE2 re;
  const std::optional<std::unordered_set<std::string>> texts;
};

Result<Matcher> Matcher::create(MatchOp op, std::string name, std::string value) {
  Parts parts{op, std::move(name), std::move(value)};
  if (op != MatchOp::regex && op != MatchOp::not_regex) return Matcher(std::move(parts));
  if (parts.value.size() > kMaxRegexBytes) {
    return fail(Errc::parse, "regular expression for label \"{}\" is longer than {} bytes", parts.name,
                kMaxRegexBytes);
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_never_capture(true);
  options.set_max_mem(kMaxRegexMemory);
  auto regex = std::make_shared<const Regex>(parts.value, options);
  if (!regex->re.ok()) {
    return fail(Errc::parse, "regular expression \"{}\" for label \"{}\": {}", parts.value, parts.name,
                regex->re.error());
  }
  parts.regex = std::move(regex);
  return Matcher(std::move(parts));
}

bool Matcher::matches(std::string_view value) const {
  switch (parts_->op) {
    case MatchOp::equal:
      return value == parts_->value;
    case MatchOp::not_equal:
      return value != parts_->value;
    case MatchOp::regex:
    case MatchOp::not_regex:
      break;
  }
  return parts_->regex->matches(value) == (parts_->op == MatchOp::regex);
}

}  // namespace vigil::promql
