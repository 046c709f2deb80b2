// meta.db's memory of who was told what, and of alerts that are over.
#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/telling_rows.h"

#include <map>
#include <utility>

namespace vigil::alerts {
/// Each was told the first time, the last, or between. The outbox alone knows what its messages say: in
/// memory a group's older one says less.
Result<void> MetaStore::note_arrival(const std::vector<std::int64_t>& ids, std::int64_t now_ms) {
  auto update = database_.prepare(
      "UPDATE telling SET first_arrived_ms=CASE first_arrived_ms WHEN 0 THEN ?7 ELSE first_arrived_ms END, "
      "last_arrived_ms=?7 WHERE fingerprint=?1 AND fired_at_ms=?2 AND receiver=?3 AND group_key=?4 AND "
      "(what='over')=?5 AND ?6 BETWEEN min(at_ms,last_ms) AND max(at_ms,last_ms)");
  if (!update) return update.error();
  return for_each("SELECT receiver,created_ms,body FROM outbox WHERE id=?", ids,
                  [&](aggregator::Statement& look, std::int64_t id) -> Result<void> {
                    look.bind(id);
                    const auto found = look.step();
                    if (!found) return found.error();
                    notify::Row row;
                    bool is_known = false;
                    if (*found) {
                      row.receiver = look.bytes(0);
                      row.created_ms = look.integer(1);
                      is_known = static_cast<bool>(notify::decode_body(look.bytes(2), row));
                    }
                    look.reset();
                    return is_known ? update_tellings(*update, row, now_ms) : Result<void>();
                  });
}

Result<void> MetaStore::write(const Telling& telling) {
  return put_telling_->run(std::string_view(telling.fingerprint), telling.fired_at_ms,
                           std::string_view(telling.receiver), std::string_view(telling.group_key),
                           to_string(telling.what), telling.at_ms, telling.last_ms, telling.times);
}

Result<std::vector<Telling>> MetaStore::tellings(std::string_view fingerprint, std::int64_t fired_at_ms) {
  auto rows = database_.prepare(
      "SELECT receiver,group_key,what,at_ms,last_ms,times,first_arrived_ms,last_arrived_ms FROM telling "
      "WHERE "
      "fingerprint=? AND fired_at_ms=? ORDER BY at_ms,receiver,what");
  if (!rows) return rows.error();
  rows->bind(fingerprint, fired_at_ms);
  std::vector<Telling> out;
  auto more = rows->step();
  for (; more && *more; more = rows->step())
    out.push_back({std::string(fingerprint), fired_at_ms, std::string(rows->bytes(0)),
                   std::string(rows->bytes(1)), parse_what(rows->bytes(2)), rows->integer(3),
                   rows->integer(4), rows->integer(5), rows->integer(6), rows->integer(7)});
  if (!more) return more.error();
  return out;
}

/// Of a hundred thousand messages only those are read that may be meant.
Result<std::vector<Undelivered>> MetaStore::undelivered(std::string_view fingerprint,
                                                        const std::set<std::int64_t>& made_ms) {
  constexpr std::int64_t kSameMs = 1'000;
  auto rows = database_.prepare(
      "SELECT id,receiver,created_ms,dead_at_ms,error,attempts,next_attempt_ms FROM outbox INDEXED BY "
      "outbox_by_time WHERE created_ms BETWEEN ?2 AND ?3 AND instr(body,?1)>0");
  if (!rows) return rows.error();
  std::map<std::int64_t, Undelivered> found;
  for (const std::int64_t t_ms : made_ms) {
    rows->bind(fingerprint, t_ms - kSameMs, t_ms + kSameMs);
    auto more = rows->step();
    for (; more && *more; more = rows->step())
      found[rows->integer(0)] = {
          std::string(rows->bytes(1)),        rows->integer(2), rows->integer(3), std::string(rows->bytes(4)),
          static_cast<int>(rows->integer(5)), rows->integer(6)};
    if (!more) return more.error();
  }
  std::vector<Undelivered> out;
  out.reserve(found.size());
  for (auto& [id, message] : found) out.push_back(std::move(message));
  return out;
}

}  // namespace vigil::alerts
