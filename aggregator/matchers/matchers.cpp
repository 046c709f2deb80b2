#include "aggregator/matchers/matchers.h"

#include "aggregator/matchers/grammars.h"
#include "aggregator/promql/literals.h"
#include "common/text/ascii.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <utility>

namespace vigil::matchers {
namespace {

using promql::MatchOp;

// The longer ones first: "=~" begins with "=".
constexpr std::array<std::pair<std::string_view, MatchOp>, 4> kOperators = {
    {{"=~", MatchOp::regex}, {"!~", MatchOp::not_regex}, {"!=", MatchOp::not_equal}, {"=", MatchOp::equal}}};

Result<Matchers> compile(std::vector<Written> written) {
  Matchers out;
  for (Written& one : written) {
    auto matcher = create_small(one.op, std::move(one.name), std::move(one.value));
    if (!matcher) return matcher.error();
    out.push_back(std::move(*matcher));
  }
  return out;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && !is_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

}  // namespace

bool take_operator(std::string_view& rest, MatchOp& op) {
  for (const auto& [text, meaning] : kOperators) {
    if (!rest.starts_with(text)) continue;
    rest.remove_prefix(text.size());
    op = meaning;
    return true;
  }
  return false;
}

bool matches(const Matchers& matchers, const Labels& labels) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&labels](const Matcher& matcher) { return matcher.matches(labels); });
}

Result<Matcher> create_small(MatchOp op, std::string name, std::string value) {
  constexpr std::int64_t kMostProgramBytes = 128L * 1024;  // some thousand letters of names
  if (op == MatchOp::regex || op == MatchOp::not_regex) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kMostProgramBytes);
    const re2::RE2 trial(value, options);
    if (trial.error_code() == re2::RE2::ErrorPatternTooLarge) {
      return fail(Errc::parse,
                  "regular expression \"{}\" for label \"{}\": too large; repeat less, or list less", value,
                  name);
    }
  }
  return Matcher::create(op, std::move(name), std::move(value));
}

Result<Parsed> parse_matchers(std::string_view text) {
  auto newer = read_utf8(text);
  auto classic = read_classic(text);
  // Both errors are right; that of the newer grammar knows the place.
  if (!newer && !classic) return newer.error();
  const bool differs = classic && !(newer && *newer == *classic);
  auto compiled = compile(classic ? *classic : *newer);
  if (!compiled) return compiled.error();
  Parsed parsed{std::move(*compiled), ""};
  if (differs) {
    parsed.note =
        fmt::format("newer versions of Alertmanager {}; {} means the same to all",
                    newer ? "read this differently" : "do not read this", to_string(parsed.matchers));
  }
  return parsed;
}

std::string to_string(const Matcher& matcher) {
  std::string_view op;
  for (const auto& [text, meaning] : kOperators) {
    if (meaning == matcher.op()) op = text;
  }
  return fmt::format("{}{}{}", is_plain_name(matcher.name()) ? matcher.name() : promql::quote(matcher.name()),
                     op, promql::quote(matcher.value()));
}

std::string to_string(const Matchers& matchers) {
  std::string out = "{";
  for (const Matcher& matcher : matchers) out += (out.size() > 1 ? "," : "") + to_string(matcher);
  return out + '}';
}

}  // namespace vigil::matchers
