#include "aggregator/head/host.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator {

const StreamProgress* Host::find(const StreamId& stream) const {
  const auto at = std::ranges::find(streams, stream, &StreamProgress::stream);
  return at == streams.end() ? nullptr : &*at;
}

StreamProgress* Host::find(const StreamId& stream) {
  return const_cast<StreamProgress*>(std::as_const(*this).find(stream));
}

StreamProgress& Host::use(const StreamId& stream) {
  const auto at = std::ranges::find(streams, stream, &StreamProgress::stream);
  if (at == streams.end()) return streams.emplace_back(StreamProgress{.stream = stream});
  std::rotate(at, at + 1, streams.end());
  return streams.back();
}

void Host::push(SeriesId id, std::uint16_t number) {
  pushed.make(id).source = number;
  pushed_sources = std::max(pushed_sources, number);
}

void Host::end_lane(Lane lane) {
  if (lane == kLateLane) late_stream.reset();
  head.end_lane(lane);
  forget_schemas(lane);
}

void Host::forget_schemas(Lane lane) {
  applied.erase(applied.lower_bound(source_number(lane, 0)), applied.lower_bound(source_number(lane + 1, 0)));
}

}  // namespace vigil::aggregator
