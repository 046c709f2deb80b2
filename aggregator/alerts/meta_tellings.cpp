// meta.db's memory of who was told what, and of alerts that are over.
#include "aggregator/alerts/meta_store.h"

#include <algorithm>
#include <utility>

namespace vigil::alerts {

Result<void> MetaStore::write(const Telling& telling) {
  return put_telling_->run(std::string_view(telling.fingerprint), telling.fired_at_ms,
                           std::string_view(telling.receiver), std::string_view(telling.group_key),
                           to_string(telling.what), telling.at_ms, telling.last_ms, telling.times);
}

Result<std::vector<Telling>> MetaStore::tellings(std::string_view fingerprint, std::int64_t fired_at_ms) {
  auto rows = database_.prepare(
      "SELECT receiver,group_key,what,at_ms,last_ms,times FROM telling WHERE fingerprint=? AND fired_at_ms=? "
      "ORDER BY at_ms,receiver,what");
  if (!rows) return rows.error();
  rows->bind(fingerprint, fired_at_ms);
  std::vector<Telling> out;
  auto more = rows->step();
  for (; more && *more; more = rows->step())
    out.push_back({std::string(fingerprint), fired_at_ms, std::string(rows->bytes(0)),
                   std::string(rows->bytes(1)), parse_what(rows->bytes(2)), rows->integer(3),
                   rows->integer(4), rows->integer(5)});
  if (!more) return more.error();
  return out;
}

}  // namespace vigil::alerts
