#include "aggregator/head/host.h"

#include <algorithm>

namespace vigil::aggregator {

StreamProgress* Host::find(const StreamId& stream) {
  const auto at = std::ranges::find(streams, stream, &StreamProgress::stream);
  return at == streams.end() ? nullptr : &*at;
}

StreamProgress& Host::use(const StreamId& stream) {
  const auto at = std::ranges::find(streams, stream, &StreamProgress::stream);
  if (at == streams.end()) return streams.emplace_back(StreamProgress{stream, 0, 0, 0});
  std::rotate(at, at + 1, streams.end());
  return streams.back();
}

}  // namespace vigil::aggregator
