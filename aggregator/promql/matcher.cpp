#include "aggregator/promql/storage.h"

#include <re2/re2.h>

namespace vigil::promql {
namespace {

constexpr std::size_t kMaxPatternBytes = 1000;
constexpr std::int64_t kMaxRegexMemory = 4 << 20;

}  // namespace

struct Matcher::Regex {
  explicit Regex(const std::string& pattern, const re2::RE2::Options& options) : re(pattern, options) {}
  re2::RE2 re;
};

Result<Matcher> Matcher::create(MatchOp op, std::string name, std::string value) {
  Matcher matcher;
  matcher.op_ = op;
  matcher.name_ = std::move(name);
  matcher.value_ = std::move(value);
  if (op != MatchOp::regex && op != MatchOp::not_regex) return matcher;
  if (matcher.value_.size() > kMaxPatternBytes) {
    return fail(Errc::parse, "regular expression for label \"{}\" is longer than {} bytes", matcher.name_,
                kMaxPatternBytes);
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_never_capture(true);
  options.set_max_mem(kMaxRegexMemory);
  auto regex = std::make_shared<const Regex>(matcher.value_, options);
  if (!regex->re.ok()) {
    return fail(Errc::parse, "regular expression \"{}\" for label \"{}\": {}", matcher.value_, matcher.name_,
                regex->re.error());
  }
  matcher.regex_ = std::move(regex);
  return matcher;
}

bool Matcher::matches(std::string_view value) const {
  switch (op_) {
    case MatchOp::equal:
      return value == value_;
    case MatchOp::not_equal:
      return value != value_;
    case MatchOp::regex:
    case MatchOp::not_regex:
      break;
  }
  const bool hit = re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), regex_->re);
  return hit == (op_ == MatchOp::regex);
}

}  // namespace vigil::promql
