#include "aggregator/access/audit.h"

#include "common/log/log.h"
#include "common/wire/names.h"

#include <algorithm>
#include <limits>

namespace vigil::aggregator::access {
namespace {

constexpr std::size_t kMostTextBytes = 64 << 10;  // of before, after and object

std::string cut(const std::string& text) {
  return wire::clean_text(text, kMostTextBytes);
}

AuditEntry entry_of(const Actor& actor, const Change& change, std::int64_t now_ms) {
  return {
      0, now_ms, actor, std::string(change.what), cut(change.object), cut(change.before), cut(change.after)};
}

Result<void> insert(Database& database, const AuditEntry& entry) {
  auto statement = database.prepare(
      "INSERT INTO audit(at_ms,kind,who,origin,what,object,before,after) VALUES(?,?,?,?,?,?,?,?)");
  if (!statement) return statement.error();
  return statement->run(entry.at_ms, to_string(entry.actor.kind), std::string_view(entry.actor.name),
                        std::string_view(entry.actor.from), std::string_view(entry.what),
                        std::string_view(entry.object), std::string_view(entry.before),
                        std::string_view(entry.after));
}

Caller::Kind kind_from(std::string_view word) {
  for (int i = 0; i <= static_cast<int>(Caller::Kind::signal); ++i) {
    if (word == to_string(static_cast<Caller::Kind>(i))) return static_cast<Caller::Kind>(i);
  }
  return Caller::Kind::anonymous;
}

AuditEntry entry_from(const Statement& row) {
  return {row.integer(0),
          row.integer(1),
          {kind_from(row.bytes(2)), std::string(row.bytes(3)), std::string(row.bytes(4))},
          std::string(row.bytes(5)),
          std::string(row.bytes(6)),
          std::string(row.bytes(7)),
          std::string(row.bytes(8))};
}

}  // namespace

Result<void> Audit::flush_locked() {
  while (!waiting_.empty()) {
    auto written =
        file_.change([&](Database& database) -> Result<void> { return insert(database, waiting_.front()); });
    if (!written) return written;
    waiting_.pop_front();
  }
  return {};
}

Result<void> Audit::ready() {
  const std::lock_guard lock(mutex_);
  if (const auto written = flush_locked(); !written)
    return fail(Errc::unavailable, "nothing is changed while the audit log cannot be written: {}",
                written.error().message);
  return {};
}

Result<void> Audit::note(const Actor& actor, const Change& change) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(entry_of(actor, change, now_ms_()));
  const auto written = flush_locked();
  if (written) return {};
  log::error("access", "the audit log cannot be written: changes are refused until it can",
             {{"waiting", waiting_.size()}, {"error", written.error()}});
  return fail(Errc::unavailable, "it is done, but the audit log cannot be written just now: {}",
              written.error().message);
}

Result<void> Audit::add(Database& database, const Actor& actor, const Change& change) const {
  return insert(database, entry_of(actor, change, now_ms_()));
}

Result<Audit::Found> Audit::find(const AuditQuery& query) {
  Found found;
  const std::int64_t end_ms = query.end_ms == 0 ? std::numeric_limits<std::int64_t>::max() : query.end_ms;
  const auto read = file_.read([&](Database& database) -> Result<void> {
    auto rows = database.prepare(
        "SELECT id,at_ms,kind,who,origin,what,object,before,after FROM audit WHERE at_ms>=?1 AND at_ms<=?2 "
        "AND (?3='' OR who=?3) AND substr(what,1,length(?4))=?4 ORDER BY id DESC LIMIT ?5");
    if (!rows) return rows.error();
    rows->bind(query.start_ms, end_ms, std::string_view(query.who), std::string_view(query.what),
               static_cast<std::int64_t>(query.limit) + 1);
    auto more = rows->step();
    for (; more && *more; more = rows->step()) found.entries.push_back(entry_from(*rows));
    if (!more) return more.error();
    return {};
  });
  if (!read) return read.error();
  found.truncated = found.entries.size() > query.limit;
  if (found.truncated) found.entries.pop_back();
  std::reverse(found.entries.begin(), found.entries.end());
  return found;
}

Result<void> Audit::prune(std::int64_t before_ms) {
  return file_.change([&](Database& database) -> Result<void> {
    auto count = database.prepare("SELECT count(*) FROM audit WHERE at_ms<?");
    if (!count) return count.error();
    count->bind(before_ms);
    const auto row = count->step();
    if (!row) return row.error();
    const std::int64_t old = count->integer(0);
    count->reset();
    if (old == 0) return {};
    for (const char* sql : {"UPDATE audit_limit SET before_ms=?1", "DELETE FROM audit WHERE at_ms<?1"}) {
      auto statement = database.prepare(sql);
      if (!statement) return statement.error();
      if (auto done = statement->run(before_ms); !done) return done;
    }
    if (auto back = database.execute("UPDATE audit_limit SET before_ms=-9223372036854775808"); !back)
      return back;
    return add(database, {Caller::Kind::signal, "", ""},
               {"audit.removed", "", fmt::format(R"({{"entries":{},"before_ms":{}}})", old, before_ms), ""});
  });
}

std::size_t Audit::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

}  // namespace vigil::aggregator::access
