// Notifications for tests.
#pragma once

#include "aggregator/notify/lane.h"

#include <string>

namespace vigil::test {

inline notify::Notification note_of(const std::string& instance, notify::Kind kind = notify::Kind::firing) {
  notify::Notification note;
  note.kind = kind;
  note.fingerprint = fmt::format("{:0>16}", instance.substr(0, 16));
  note.key = fmt::format("{}-1795269605000-{}", note.fingerprint, to_string(kind));
  note.rule_key = "vigil-cpu/HighCpu/critical";
  note.group = "vigil-cpu";
  note.alert = "HighCpu";
  note.severity = "critical";
  note.instance = instance;
  note.labels =
      Labels{{"alertname", "HighCpu"}, {"instance", instance}, {"severity", "critical"}, {"team", "web"}};
  note.annotations = Labels{{"summary", "CPU of " + instance + " is 93% busy"},
                            {"description", "Average of all cores over 5 minutes."},
                            {"value", "93.1%"}};
  note.value = 93.125;
  note.expr = "100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m]))) > 90";
  note.active_since_ms = 1'795'269'485'000;  // 2026-11-21 13:58:05 UTC
  note.fired_at_ms = 1'795'269'605'000;
  if (kind == notify::Kind::resolved) note.resolved_at_ms = 1'795'270'210'000;
  note.evidence = {{"Top processes by CPU",
                    {{"postgres (pid 4711, db)", "71% of a core"}, {"nginx (pid 12)", "9.5% of a core"}}}};
  note.link = "https://vigil.example/alerts/" + note.fingerprint;
  return note;
}

inline notify::Row row_of(std::int64_t id, notify::Notification note, std::int64_t created_ms = 0) {
  return {id, "ops", created_ms, 0, 0, std::move(note)};
}

}  // namespace vigil::test
