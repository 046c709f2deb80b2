// Rows of the outbox that were given up.
#include "aggregator/alerts/meta_store.h"

#include <utility>

namespace vigil::alerts {
namespace {

constexpr std::string_view kDeadColumns =
    "SELECT id,receiver,created_ms,attempts,body,dead_at_ms,error FROM outbox WHERE dead_at_ms>0 ORDER BY id";

/// Hands each row that can be read to `visit`.
Result<void> read_dead(aggregator::Database& database, const std::string& sql,
                       const std::function<void(DeadLetter)>& visit) {
  auto rows = database.prepare(sql);
  if (!rows) return rows.error();
  auto more = rows->step();
  for (; more && *more; more = rows->step()) {
    DeadLetter letter;
    letter.row.id = rows->integer(0);
    letter.row.receiver = rows->bytes(1);
    letter.row.created_ms = rows->integer(2);
    letter.row.attempts = static_cast<int>(rows->integer(3));
    letter.given_up_ms = rows->integer(5);
    letter.error = rows->bytes(6);
    if (notify::decode_body(rows->bytes(4), letter.row)) visit(std::move(letter));
  }
  if (!more) return more.error();
  return {};
}

/// What a message told that is sent again is told now: it was not before.
Result<void> retell(aggregator::Statement& update, const notify::Row& row) {
  Result<void> done;
  for (const Telling& telling : tellings_of(row, Telling::What::fires)) {
    const std::int64_t is_over = telling.what == Telling::What::over ? 1 : 0;
    if (done)
      done = update.run(std::string_view(telling.fingerprint), telling.fired_at_ms,
                        std::string_view(telling.receiver), std::string_view(telling.group_key), is_over,
                        telling.at_ms);
  }
  return done;
}

}  // namespace

Result<void> MetaStore::each_dead_letter(const std::function<void(DeadLetter)>& visit) {
  return read_dead(database_, std::string(kDeadColumns), visit);
}

Result<DeadLetters> MetaStore::dead_letters(std::size_t most) {
  const auto count = database_.integer("SELECT count(*) FROM outbox WHERE dead_at_ms>0");
  if (!count) return count.error();
  DeadLetters out;
  const auto read = read_dead(database_, fmt::format("{} DESC LIMIT {}", kDeadColumns, most),
                              [&out](DeadLetter letter) { out.letters.push_back(std::move(letter)); });
  if (!read) return read.error();
  const auto all = static_cast<std::uint64_t>(*count);
  out.left_out = all > most ? all - most : 0;
  return out;
}

Result<void> MetaStore::revive(const std::vector<notify::Row>& rows) {
  return in_transaction([&] {
    auto done = for_each(
        "UPDATE outbox SET dead_at_ms=0, error='', created_ms=?2, attempts=?3, next_attempt_ms=?4, body=?5 "
        "WHERE id=?1",
        rows, [](aggregator::Statement& update, const notify::Row& row) {
          const std::string body = notify::encode_body(row);
          return update.run(row.id, row.created_ms, static_cast<std::int64_t>(row.attempts),
                            row.next_attempt_ms, std::string_view(body));
        });
    if (!done) return done;
    return for_each(
        "UPDATE telling SET at_ms=CASE times WHEN 1 THEN ?6 ELSE at_ms END, last_ms=?6 WHERE fingerprint=?1 "
        "AND fired_at_ms=?2 AND receiver=?3 AND group_key=?4 AND (what='over')=?5",
        rows, retell);
  });
}

Result<void> MetaStore::drop_letters(const std::vector<std::int64_t>& ids) {
  return in_transaction([&] {
    return for_each("DELETE FROM outbox WHERE id=? AND dead_at_ms>0", ids,
                    [](aggregator::Statement& remove, std::int64_t id) { return remove.run(id); });
  });
}

}  // namespace vigil::alerts
