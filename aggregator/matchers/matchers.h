// Label matchers as Alertmanager writes them in routes, inhibition rules and silences. The matcher itself is
// PromQL's; here is how it is written when it stands alone:
//
//   severity = critical                          one
//   {team="db", instance=~"db-.+"}               several; all must match; braces are optional
//
// There are two grammars. The classic one (Alertmanager up to 0.26) knows names of letters, digits and `_`
// and few escapes; the newer one allows any UTF-8, with names and values in double quotes and Go's escapes.
// What both can read but read differently, and what only the classic one can read, is read by the classic
// one, as Alertmanager does by default: files that work there mean the same here.
#pragma once

#include "aggregator/promql/storage.h"
#include "common/error.h"
#include "common/series.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::matchers {

using promql::Matcher;
using Matchers = std::vector<Matcher>;

/// Whether every one of them matches; a label that is not there is "".
bool matches(const Matchers& matchers, const Labels& labels);

/// A matcher of somebody outside. Errc::parse also for a regular expression that is right, but whose program
/// is large ("[\\p{L}]{90}"): it stays in memory, and every alert is held against it.
Result<Matcher> create_small(promql::MatchOp op, std::string name, std::string value);

struct Parsed {
  Matchers matchers;
  std::string note;  // not "": the newer grammar would read it differently, or not at all; says what to write
};

/// Zero or more of them. Errors say what was expected.
Result<Parsed> parse_matchers(std::string_view text);

/// `name="value"`: both grammars read it back, unless the name needs quotes, which only the newer one knows.
std::string to_string(const Matcher& matcher);
/// The same in braces, one after the other.
std::string to_string(const Matchers& matchers);

}  // namespace vigil::matchers
