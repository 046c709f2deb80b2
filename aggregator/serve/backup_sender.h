// A snapshot as the parts of a vigil.v1.Store/Backup answer.
#pragma once

#include "aggregator/store/snapshot.h"
#include "common/error.h"
#include "vigil/v1/store.pb.h"

#include <functional>

namespace vigil::aggregator {

/// `send` gives false once nobody listens any more: Errc::unavailable. Errc::io, Errc::corrupt name the file.
Result<void> send_backup(const Snapshot& snapshot, const std::function<bool(v1::BackupPart)>& send);

}  // namespace vigil::aggregator
