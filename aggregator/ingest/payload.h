// The bytes of the message inside an AgentMessage, as the journal keeps them, without serializing it again.
#pragma once

#include "vigil/v1/ingest.pb.h"

#include <string>

namespace vigil::aggregator {

/// The serialized v1::Schema or v1::Batch of `message`, which was parsed from `wire`; empty for other kinds.
std::string payload(const v1::AgentMessage& message, const std::string& wire);

}  // namespace vigil::aggregator
