// What agents say of actions, as runs have it.
#pragma once

#include "aggregator/actions/run.h"
#include "vigil/v1/ingest.pb.h"

namespace vigil::aggregator {

/// Texts are cut and made clean: they are anybody's.
actions::Outcome outcome_of(const v1::ActionResult& result);

}  // namespace vigil::aggregator
