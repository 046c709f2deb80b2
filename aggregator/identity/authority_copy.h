// The folder identity/ as it goes into a backup: with it a machine that was lost is restored on another one,
// and no host has to enroll again. Whoever has the copy can be any host or person.
#pragma once

#include "common/error.h"

#include <string>
#include <vector>

namespace vigil::aggregator::identity {

/// Copies key, certificates and identity.db of an authority's folder into the folder `target`, mode 0700,
/// files 0600, and gives their names, beginning with kFolder. What is written to meanwhile is in it as it was
/// before or as it is afterwards. Invitations that are open count no more in the copy: it cannot know which
/// of them will have been used or revoked by the time it is restored. Errors name the file.
Result<std::vector<std::string>> copy_authority(const std::string& folder, const std::string& target);

}  // namespace vigil::aggregator::identity
