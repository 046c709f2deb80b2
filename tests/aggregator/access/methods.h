// Every method of every service, from the files that define them: none can be forgotten.
#pragma once

#include "tests/support/catch.h"
#include "vigil/v1/access.pb.h"
#include "vigil/v1/actions.pb.h"
#include "vigil/v1/fleet.pb.h"
#include "vigil/v1/identity.pb.h"
#include "vigil/v1/ingest.pb.h"
#include "vigil/v1/login.pb.h"
#include "vigil/v1/query.pb.h"
#include "vigil/v1/rules.pb.h"
#include "vigil/v1/store.pb.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace vigil::aggregator::access {

/// "/vigil.v1.Fleet/ListHosts", ... in order. A file that is not linked into the program fails the test.
inline std::vector<std::string> all_methods() {
  // Named so that their descriptors are linked, which a static library would leave out.
  (void)v1::WhoAmIRequest::descriptor();
  (void)v1::ListActionsRequest::descriptor();
  (void)v1::ListHostsRequest::descriptor();
  (void)v1::InviteRequest::descriptor();
  (void)v1::AgentMessage::descriptor();
  (void)v1::StartLoginRequest::descriptor();
  (void)v1::InstantRequest::descriptor();
  (void)v1::ReplayRequest::descriptor();
  (void)v1::BackupRequest::descriptor();
  std::vector<std::string> methods;
  for (const auto& entry : std::filesystem::directory_iterator(VIGIL_SOURCE_DIR "/proto/vigil/v1")) {
    const std::string name = "vigil/v1/" + entry.path().filename().string();
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    INFO(name);
    REQUIRE(file != nullptr);
    for (int i = 0; i < file->service_count(); ++i) {
      const auto* service = file->service(i);
      for (int j = 0; j < service->method_count(); ++j)
        methods.push_back("/" + service->full_name() + "/" + service->method(j)->name());
    }
  }
  std::sort(methods.begin(), methods.end());
  return methods;
}

}  // namespace vigil::aggregator::access
