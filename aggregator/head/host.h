// Everything a shard knows of one of its hosts. Plain state; the shard's thread is the only one that sees it.
#pragma once

#include "aggregator/fleet/clock_skew.h"
#include "aggregator/fleet/host_state.h"
#include "aggregator/head/allowance.h"
#include "aggregator/head/by_id.h"
#include "aggregator/head/gap_book.h"
#include "aggregator/head/host_head.h"
#include "aggregator/head/host_kind.h"
#include "aggregator/store/records.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// How far one stream of a host has come.
struct StreamProgress {
  StreamId stream{};
  std::uint64_t stored_seq = 0;    // rows are in the head, bytes on their way to the journal
  std::uint64_t durable_seq = 0;   // may be acknowledged
  std::uint64_t keyframe_seq = 0;  // decoding what comes next begins here; 0: nothing was received yet
  bool open = false;               // its agent is connected: what comes next builds on that keyframe
  bool late = false;               // its rows that are not in sealed blocks are late ones
};

/// Time for which rows came that had to be refused, until it is stored as a gap.
struct RefusedTime {
  std::int64_t first_ms = 0;  // 0: none
  std::int64_t last_ms = 0;
  Allowance telling;  // of it in the log
};

/// What is known of a series of a host without an agent.
struct PushedSeries {
  std::uint16_t source = 0;
  std::int64_t newest_ms = 0;  // 0: none since our start
};

struct Host {
  HostRecord record;
  HostKind kind;
  HostHead head;
  HostFacts facts;
  HostState state = HostState::late;
  bool left_for_good = false;  // said, see Shard::on_left_for_good
  std::int64_t since_ms = 0;
  bool since_earlier = false;           // known from before our start: it may have been so for longer
  std::int64_t machine_changed_ms = 0;  // when another machine took its name; 0: none did since our start
  ClockSkew skew;
  std::vector<StreamProgress> streams;  // by last use
  std::optional<StreamId> late_stream;  // whose rows are in the late lane

  bool connected = false;
  std::string remote;
  std::uint32_t delivery_interval_ms = 0;
  std::uint64_t duplicates = 0;
  std::string duplicate_remote;     // of the latest one, while it keeps trying
  std::int64_t duplicate_ms = 0;    // when it tried
  std::string refusal;              // why its agent was turned away lately, when it can do something about it
  std::int64_t refusal_ms = 0;      // when
  std::uint64_t gap_batches = 0;    // the agent lost
  std::uint64_t lost_batches = 0;   // we had acknowledged and have no more
  std::int64_t fleet_row_ms = 0;    // of the latest row of the fleet's own source
  std::int64_t last_sample_ms = 0;  // newest row of the agent
  std::int64_t last_hook_ms = 0;    // when rules last looked
  std::int64_t covered_since_ms = 0;  // samples came without a gap since then; 0: none since our start
  /// By source_number(): the schema whose columns the head has. Only compared, never looked into.
  std::map<std::uint32_t, std::shared_ptr<const void>> applied;
  /// Bytes that may be taken from it, by lane. They outlive its connections: who reconnects owes what it
  /// owed.
  std::array<Allowance, 2> bytes;
  Allowance new_series;
  RefusedTime refused;
  GapBook gaps;
  std::uint64_t retirements_seen = 0;  // History::retirements() when its unused series were last looked for
  ById<PushedSeries> pushed;
  std::uint16_t pushed_sources = 0;  // numbered from 1

  Host(HostRecord host_record, const HeadOptions& options)
      : record(std::move(host_record)),
        kind(kind_of(record.name)),
        head(record.id, SeriesRegistry(record.name, record.labels), options) {}

  /// The progress of `stream`, which becomes the one used last; made when it is new.
  StreamProgress& use(const StreamId& stream);
  /// Series `id` belongs to source `number`.
  void push(SeriesId id, std::uint16_t number);
  /// Nothing more comes in this lane, see HostHead::end_lane().
  void end_lane(Lane lane);
  /// The next schemas of this lane begin its columns anew.
  void forget_schemas(Lane lane);
  const StreamProgress* find(const StreamId& stream) const;
  StreamProgress* find(const StreamId& stream);
};

}  // namespace vigil::aggregator
