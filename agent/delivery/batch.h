// What the beat's thread hands to the delivery's thread: finished messages as bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vigil::agent {

/// A serialized vigil.v1.AgentMessage with a Schema.
struct EncodedSchema {
  std::uint32_t source_id = 0;
  std::string message;
};

/// Of schemas given in order the last one of each source; they must outlive the list.
class NewestSchemas {
 public:
  void take(const EncodedSchema& schema) { by_source_[schema.source_id] = &schema; }
  /// In order of source id.
  std::vector<const EncodedSchema*> list() const {
    std::vector<const EncodedSchema*> out;
    out.reserve(by_source_.size());
    for (const auto& [source_id, schema] : by_source_) out.push_back(schema);
    return out;
  }

 private:
  std::map<std::uint32_t, const EncodedSchema*> by_source_;
};

/// A serialized vigil.v1.AgentMessage with a Batch.
struct EncodedBatch {
  std::uint64_t seq = 0;
  bool keyframe = false;
  std::int64_t first_time_ms = 0;
  std::int64_t last_time_ms = 0;
  std::vector<EncodedSchema> schemas;  // new with this batch: sent before it
  std::string message;

  std::size_t bytes() const;
};

}  // namespace vigil::agent
