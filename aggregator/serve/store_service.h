// vigil.v1.Store: what is on disk, whether it is sound, and a copy of it. proto/vigil/v1/store.proto is its
// documentation. Checks and backups run on a thread each, one at a time.
#pragma once

#include "aggregator/access/call_log.h"
#include "aggregator/serve/query_engine.h"
#include "aggregator/store/history.h"
#include "common/threads/worker.h"
#include "vigil/v1/store.grpc.pb.h"

#include <atomic>
#include <functional>
#include <span>

namespace vigil::aggregator {

/// What the service is made of; all of it outlives the service.
struct StoreSources {
  QueryEngine& engine;
  History& history;
  std::vector<std::string> also;  // other databases of the data folder
  std::function<std::int64_t()> now_ms;
  std::function<double()> samples_per_second;
  std::function<double()> agent_samples_per_second;  // of these
  access::CallLog log = {};                          // of copies that are made
  /// Copies identity/ for a backup, as SnapshotRequest::copy_more. Empty: it is not in use, so that the port
  /// may speak plain text, where a key must not go.
  std::function<Result<std::vector<std::string>>(const std::filesystem::path& folder)> copy_identity = {};
};

/// Agents' hosts that send or are expected to, their series, and the series of other senders and of rules.
void put_senders(std::span<const HostInfo> hosts, v1::StoreStatus& out);

class StoreService final : public v1::Store::CallbackService {
 public:
  explicit StoreService(StoreSources sources);

  /// Ends what runs; the server must have been stopped, or a client that does not read would hold it up.
  void stop();

  grpc::ServerUnaryReactor* GetStoreStatus(grpc::CallbackServerContext* context,
                                           const v1::GetStoreStatusRequest* request,
                                           v1::StoreStatus* response) override;
  grpc::ServerWriteReactor<v1::CheckEvent>* CheckStore(grpc::CallbackServerContext* context,
                                                       const v1::CheckStoreRequest* request) override;
  grpc::ServerWriteReactor<v1::BackupPart>* Backup(grpc::CallbackServerContext* context,
                                                   const v1::BackupRequest* request) override;

 private:
  const StoreSources sources_;
  std::atomic<bool> checking_ = false;
  std::atomic<bool> backing_up_ = false;
  Worker check_{"store check"};
  Worker backup_{"backup"};
};

}  // namespace vigil::aggregator
