// What the query engine needs from wherever samples are kept: the head of one host inside a shard, everything
// inside the aggregator, or a table in a test. The engine knows nothing of blocks, SQLite or threads.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::promql {

struct Point {
  std::int64_t t_ms = 0;  // Unix milliseconds
  double v = 0;           // may be stale_marker()
  friend bool operator==(const Point&, const Point&) = default;
};

/// Of a matcher's regular expression, in any case; whoever takes queries from others may allow less.
inline constexpr std::size_t kMaxRegexBytes = 32'768;

enum class MatchOp : std::uint8_t { equal, not_equal, regex, not_regex };

/// One label matcher of a selector. Regular expressions are RE2, anchored at both ends, compiled once when
/// parsed.
class Matcher {
 public:
  /// Fails with Errc::parse when `value` is not a valid RE2 expression (and the operator needs one).
  static Result<Matcher> create(MatchOp op, std::string name, std::string value);
  const std::string& name() const { return parts_->name; }
  const std::string& value() const { return parts_->value; }
  MatchOp op() const { return parts_->op; }
  /// `value` of a label that is absent is "".
  bool matches(std::string_view value) const;
  bool matches(const Labels& labels) const { return matches(labels.get(name())); }

 private:
  struct Regex;
  struct Parts {
    MatchOp op = MatchOp::equal;
    std::string name;
    std::string value;
    std::shared_ptr<const Regex> regex{};
  };
  explicit Matcher(Parts parts) : parts_(std::make_shared<const Parts>(std::move(parts))) {}
  std::shared_ptr<const Parts> parts_;  // each selection of each evaluation has a copy of it
};

/// What of a selected series the query will look at. A storage may always return more.
enum class Need : std::uint8_t {
  every_point,
  last_point,  // only the newest of the span: what an instant selector at one time needs
};

/// Which value of a stretch of time is to stand for it, where a coarser tier is read.
enum class Stand : std::uint8_t { last, least, greatest };

/// Series with at least one point in [start_ms, end_ms], both inclusive, whose labels (including __name__)
/// match all matchers.
struct Selection {
  std::vector<Matcher> matchers;
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  Need need = Need::every_point;
  /// So far apart points may be and still answer exactly enough; a storage that keeps coarser tiers may then
  /// read those. 0: every sample counts. What is no longer kept as samples comes coarser all the same.
  std::int64_t coarse_ms = 0;
  Stand stand = Stand::last;
};

/// A series and its points of the selected span, ascending in time, no time twice.
struct SelectedSeries {
  std::shared_ptr<const Labels> labels;  // with __name__
  std::vector<Point> points;
  /// Points before this time come from a coarser tier and are up to coarse_ms apart: an instant selector
  /// looks back that far for them.
  std::int64_t coarse_until_ms = std::numeric_limits<std::int64_t>::min();
  std::int64_t coarse_ms = 0;
  bool has_markers = true;  // false: none of the points is a staleness marker
};

/// Takes series one by one. What is read at the same time is read in parts: one thread hands over those of a
/// part, in a fixed order; different parts may come from different threads.
class SeriesSink {
 public:
  virtual ~SeriesSink() = default;
  /// Once, before everything else: parts are numbered from 0.
  virtual void begin(std::size_t parts) = 0;
  /// `series` belongs to the storage and is used again for the next one: what is kept of it is moved or
  /// copied. An error ends the reading.
  virtual Result<void> take(std::size_t part, SelectedSeries& series) = 0;
};

class Storage {
 public:
  virtual ~Storage() = default;
  /// In no particular order; each label set at most once. Fails with Errc::limit, Errc::unavailable or
  /// Errc::corrupt.
  virtual Result<std::vector<SelectedSeries>> select(const Selection& selection) = 0;
  /// The same, a series at a time, so that only what is made of it is held. By default by select().
  virtual Result<void> visit(const Selection& selection, SeriesSink& sink);
};

/// The error of a question whose time is over.
Error too_slow();

}  // namespace vigil::promql
