// A source: series sampled together, with one stamp per row. Its columns are those of its sheets, one sheet
// after the other.
#pragma once

#include "agent/sampling/sheet.h"
#include "common/wire/schema.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vigil::agent {

/// One row of a source, valid during the call that hands it over.
struct Frame {
  const wire::SourceSchema& schema;  // version tells whether the columns changed
  std::int64_t time_ms;              // later than that of the source's frame before
  std::span<const std::int64_t> values;
  std::span<const Family* const> families;  // of each column: help text, and the name before it was cleaned
};

class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void take(const Frame& frame) = 0;
};

/// Owned by the runner; the beat's thread.
class Source {
 public:
  Source(std::uint32_t id, std::string job, std::chrono::milliseconds interval);

  /// Sheets must outlive the source. Not after the first fill().
  void add(const Sheet& sheet);
  /// Looks whether a sheet's columns changed, and if so makes a new schema: of at most `max_width` columns,
  /// `max_part` of one sheet, and no more than one message holds.
  void refresh(std::size_t max_width, std::size_t max_part);
  /// Copies the sheets' values into the row.
  Frame fill(std::int64_t time_ms);
  /// A row in which every series is absent.
  Frame fill_absent(std::int64_t time_ms);

  const wire::SourceSchema& schema() const { return schema_; }
  std::size_t width() const { return schema_.series.size(); }
  /// Columns left out because of these limits.
  std::size_t cut() const { return cut_; }

 private:
  struct Part {
    const Sheet* sheet;
    std::uint32_t version = 0;
    std::size_t width = 0;  // columns taken, fewer than the sheet's when cut
  };
  bool changed(std::size_t max_width) const;
  void cut_to_message();

  wire::SourceSchema schema_;
  std::vector<Part> parts_;
  std::vector<const Family*> families_;
  std::vector<std::int64_t> values_;
  std::size_t cut_ = 0;
  std::size_t max_width_ = 0;
  bool too_long_ = false;  // the schema did not fit into a message
};

}  // namespace vigil::agent
