// Rows of the outbox that were given up.
#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/telling_rows.h"

#include <set>
#include <utility>

namespace vigil::alerts {
namespace {

/// What is read for one listing: bytes of what messages say.
constexpr std::size_t kReadToList = 8 << 20;

// The index holds all that these ask for: of a hundred thousand messages only those are read that are wanted.
constexpr const char* kCount = "SELECT count(*) FROM outbox INDEXED BY outbox_dead WHERE dead_at_ms>0";
constexpr std::string_view kReceivers =
    "SELECT DISTINCT receiver FROM outbox INDEXED BY outbox_dead WHERE dead_at_ms>0";
constexpr std::string_view kNewest =
    "SELECT id FROM outbox INDEXED BY outbox_dead WHERE dead_at_ms>0 ORDER BY id DESC LIMIT ?";
constexpr std::string_view kOne = "SELECT id FROM outbox WHERE dead_at_ms>0 AND id=?";
/// "ops" is also each of its channels, "ops/slack[0]".
constexpr std::string_view kAllAfter =
    "SELECT id FROM outbox INDEXED BY outbox_dead WHERE dead_at_ms>0 AND id>?1 AND (?2='' OR receiver=?2 OR "
    "(substr(receiver,1,length(?2)+1)=?2||'/' AND instr(substr(receiver,length(?2)+2),'/')=0)) ORDER BY id "
    "LIMIT ?3";

/// SQLite takes `id` from the row that has the maximum.
constexpr std::string_view kLosses =
    "SELECT receiver, messages, CASE WHEN last_ms > ifnull((SELECT max(last_arrived_ms) FROM telling WHERE "
    "telling.receiver=lost.receiver), 0) THEN (SELECT error FROM outbox WHERE outbox.id=lost.id) ELSE '' END "
    "FROM (SELECT receiver, count(*) AS messages, max(dead_at_ms) AS last_ms, id FROM outbox INDEXED BY "
    "outbox_dead WHERE dead_at_ms>0 GROUP BY receiver) AS lost ORDER BY receiver";

/// The first column of each row that the statement gives, which is bound.
template <class Value, class Take>
Result<void> append(aggregator::Statement& rows, std::vector<Value>& out, Take take) {
  auto more = rows.step();
  for (; more && *more; more = rows.step()) out.emplace_back(take(rows));
  if (!more) return more.error();
  return {};
}

std::int64_t id_of(const aggregator::Statement& row) {
  return row.integer(0);
}

DeadLetter letter_of(const aggregator::Statement& row) {
  DeadLetter letter;
  letter.row.id = row.integer(0);
  letter.row.receiver = row.bytes(1);
  letter.row.created_ms = row.integer(2);
  letter.row.attempts = static_cast<int>(row.integer(3));
  letter.given_up_ms = row.integer(5);
  letter.error = row.bytes(6);
  letter.is_readable = static_cast<bool>(notify::decode_body(row.bytes(4), letter.row));
  return letter;
}

}  // namespace

Result<std::vector<std::int64_t>> MetaStore::dead_ids(const LetterChoice& choice, std::size_t most) {
  std::vector<std::int64_t> out;
  Result<void> done;
  if (choice.ids.empty()) {
    auto rows = database_.prepare(kAllAfter);
    if (!rows) return rows.error();
    rows->bind(choice.after, std::string_view(choice.receiver), static_cast<std::int64_t>(most));
    done = append(*rows, out, id_of);
  } else {
    const std::set<std::int64_t> wanted(choice.ids.begin(), choice.ids.end());
    done = for_each(kOne, wanted, [&out](aggregator::Statement& rows, std::int64_t id) {
      rows.bind(id);
      return append(rows, out, id_of);
    });
  }
  if (!done) return done.error();
  return out;
}

Result<std::vector<DeadLetter>> MetaStore::read_letters(const std::vector<std::int64_t>& ids,
                                                        std::size_t bytes) {
  std::vector<DeadLetter> out;
  std::size_t read = 0;
  const auto done =
      for_each("SELECT id,receiver,created_ms,attempts,body,dead_at_ms,error FROM outbox WHERE id=?", ids,
               [&](aggregator::Statement& rows, std::int64_t id) -> Result<void> {
                 if (read >= bytes) return {};
                 rows.bind(id);
                 return append(rows, out, [&read](const aggregator::Statement& row) {
                   read += row.bytes(4).size();
                   return letter_of(row);
                 });
               });
  if (!done) return done.error();
  return out;
}

Result<DeadLetters> MetaStore::dead_letters(std::size_t most) {
  const auto count = database_.integer(kCount);
  if (!count) return count.error();
  auto newest = database_.prepare(kNewest);
  if (!newest) return newest.error();
  newest->bind(static_cast<std::int64_t>(most));
  std::vector<std::int64_t> ids;
  if (auto listed = append(*newest, ids, id_of); !listed) return listed.error();
  auto letters = read_letters(ids, kReadToList);
  if (!letters) return letters.error();
  DeadLetters out;
  out.letters = std::move(*letters);
  out.left_out = static_cast<std::uint64_t>(*count) - out.letters.size();
  auto receivers = database_.prepare(kReceivers);
  if (!receivers) return receivers.error();
  const auto named =
      append(*receivers, out.receivers, [](const aggregator::Statement& row) { return row.bytes(0); });
  if (!named) return named.error();
  return out;
}

Result<std::vector<notify::GivenUp>> MetaStore::given_up() {
  auto rows = database_.prepare(kLosses);
  if (!rows) return rows.error();
  std::vector<notify::GivenUp> out;
  const auto read = append(*rows, out, [](const aggregator::Statement& row) {
    return notify::GivenUp{std::string(row.bytes(0)), static_cast<std::uint64_t>(row.integer(1)),
                           std::string(row.bytes(2))};
  });
  if (!read) return read.error();
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
        "UPDATE telling SET at_ms=CASE first_arrived_ms WHEN 0 THEN ?6 ELSE at_ms END, last_ms=?6 WHERE "
        "fingerprint=?1 AND fired_at_ms=?2 AND receiver=?3 AND group_key=?4 AND (what='over')=?5",
        rows,
        [](aggregator::Statement& update, const notify::Row& row) { return update_tellings(update, row); });
  });
}

Result<void> MetaStore::drop_letters(const std::vector<std::int64_t>& ids) {
  return in_transaction([&] {
    return for_each("DELETE FROM outbox WHERE id=? AND dead_at_ms>0", ids,
                    [](aggregator::Statement& remove, std::int64_t id) { return remove.run(id); });
  });
}

}  // namespace vigil::alerts
