// What recording rules and alerts give as series, on its way into the store. Each group of rules is a host of
// its own there, "rules/GROUP", since its series are sampled together; alerts are "rules/ALERTS".
#pragma once

#include "aggregator/ingest/local_writer.h"
#include "aggregator/rules/recording.h"
#include "aggregator/self/registry.h"

#include <memory>

namespace vigil::aggregator {

/// Any thread. What was refused is counted and, the first time and after it went well again, logged. Writes
/// under way may outlive this.
class RuleRecords {
 public:
  RuleRecords(LocalWriter& writer, self::Registry& registry);

  void take(const rules::RecordedBatch& batch);

 private:
  struct Account;

  LocalWriter& writer_;
  const std::shared_ptr<Account> account_;
};

/// The write of a batch.
LocalWrite to_write(const rules::RecordedBatch& batch);

}  // namespace vigil::aggregator
