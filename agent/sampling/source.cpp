#include "agent/sampling/source.h"

#include "common/log/log.h"

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
  cut_to_message();
  values_.assign(width(), kAbsent);
}

/// What no message can carry would be refused for ever: the last columns stay here instead.
void Source::cut_to_message() {
  const std::size_t fit = wire::count_that_fit(schema_.series);
  const std::size_t over = width() - fit;
  if (over > 0 && !too_long_) {
    log::warn("sampling", "names and labels of a job's series exceed a message; the last ones are left out",
              {{"job", schema_.job}, {"series", fit}, {"left_out", over}});
  }
  too_long_ = over > 0;
  std::size_t rest = over;
  for (auto part = parts_.rbegin(); rest > 0; ++part) {
    const std::size_t less = std::min(part->width, rest);
    part->width -= less;
    rest -= less;
  }
  schema_.series.resize(fit);
  families_.resize(fit);
  cut_ += over;
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
