#include "agent/sampling/source.h"

#include <algorithm>

namespace vigil::agent {

Source::Source(std::uint32_t id, std::string job, std::chrono::milliseconds interval) {
  schema_.source_id = id;
  schema_.job = std::move(job);
  schema_.interval_ms = static_cast<std::uint32_t>(interval.count());
}

void Source::add(const Sheet& sheet) {
  parts_.push_back({&sheet});
}

bool Source::changed(std::size_t max_width) const {
  // A limit that moved matters only where it cuts.
  if (max_width != max_width_ && (cut_ > 0 || width() > max_width)) return true;
  return schema_.version == 0 || std::any_of(parts_.begin(), parts_.end(), [](const Part& part) {
           return part.sheet->version() != part.version;
         });
}

void Source::refresh(std::size_t max_width, std::size_t max_part) {
  if (!changed(max_width)) return;
  max_width_ = max_width;
  ++schema_.version;
  schema_.series.clear();
  families_.clear();
  cut_ = 0;
  for (Part& part : parts_) {
    part.version = part.sheet->version();
    part.width = std::min({part.sheet->width(), max_part, max_width - schema_.series.size()});
    cut_ += part.sheet->width() - part.width;
    for (std::size_t column = 0; column < part.width; ++column) {
      schema_.series.push_back(part.sheet->spec(column));
      families_.push_back(&part.sheet->family(column));
    }
  }
  wire::clean(schema_.series);
  values_.assign(width(), kAbsent);
}

Frame Source::fill(std::int64_t time_ms) {
  auto out = values_.begin();
  for (const Part& part : parts_) {
    out = std::copy_n(part.sheet->values().begin(), part.width, out);
  }
  return {schema_, time_ms, values_, families_};
}

Frame Source::fill_absent(std::int64_t time_ms) {
  std::fill(values_.begin(), values_.end(), kAbsent);
  return {schema_, time_ms, values_, families_};
}

}  // namespace vigil::agent
