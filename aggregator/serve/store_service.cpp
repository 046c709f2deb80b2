#include "aggregator/serve/store_service.h"

#include "aggregator/serve/backup_sender.h"
#include "aggregator/serve/run_alone.h"
#include "aggregator/store/files.h"
#include "common/log/log.h"

#include <filesystem>

namespace vigil::aggregator {
namespace {

void put_tier(const TierStats& stats, const TierKeep& keep, v1::StoreTier& out) {
  out.set_files(stats.files);
  out.set_disk_bytes(stats.disk_bytes);
  out.set_blocks(stats.blocks);
  out.set_samples(stats.samples);
  out.set_oldest_ms(stats.oldest_ms);
  out.set_newest_ms(stats.newest_ms);
  out.set_keep_ms(std::chrono::milliseconds(keep.keep).count());
  out.set_max_bytes(keep.max_bytes);
}

void put_file(const FileStats& file, v1::StoreFile& out) {
  out.set_name(file.name);
  out.set_kind(std::string(file.kind));
  out.set_form(std::string(file.form));
  out.set_disk_bytes(file.disk_bytes);
  out.set_blocks(file.blocks);
  out.set_samples(file.samples);
  out.set_first_ms(file.first_ms);
  out.set_last_ms(file.last_ms);
}

void put_store(const History& history, std::span<const std::string> also, v1::StoreStatus& out) {
  const HistoryStats stats = history.stats();
  const HistoryOptions& options = history.options();
  for (const Tier tier : kTiers) {
    const auto index = static_cast<std::size_t>(tier);
    v1::StoreTier& target = *out.add_tiers();
    target.set_name(std::string(to_string(tier)));
    put_tier(stats.tiers.at(index), options.keep.at(index), target);
  }
  out.set_journal_files(stats.journal_files);
  out.set_journal_bytes(stats.journal_disk_bytes);
  out.set_index_bytes(stats.index_bytes);
  out.set_state(std::string(to_string(stats.health.state)));
  out.set_message(stats.health.message);
  out.set_damaged_files(stats.damaged_files);
  for (const std::string& name : also)
    out.set_alerts_bytes(out.alerts_bytes() + database_bytes(options.directory / name));
  out.set_disk_bytes(stats.disk_bytes + out.alerts_bytes());
  std::error_code error;
  out.set_data_directory(std::filesystem::absolute(options.directory, error).string());
  const auto space = std::filesystem::space(options.directory, error);
  if (error) return;
  out.set_free_bytes(space.available);
  out.set_disk_size_bytes(space.capacity);
}

void put_files(const StoreSources& sources, v1::StoreStatus& out) {
  for (const FileStats& file : sources.history.files()) put_file(file, *out.add_files());
  for (const std::string& name : sources.also) {
    FileStats file;
    file.name = name;
    file.kind = "alerts";
    file.form = "open";
    file.disk_bytes = database_bytes(sources.history.options().directory / name);
    put_file(file, *out.add_files());
  }
}

/// Several times a second are enough.
class Pace {
 public:
  bool due() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return false;
    next_ = now + std::chrono::milliseconds(200);
    return true;
  }

 private:
  std::chrono::steady_clock::time_point next_{};
};

void put_finding(const CheckFinding& finding, v1::CheckFinding& out) {
  out.set_file(finding.file);
  out.set_host(finding.host);
  out.set_source(finding.source);
  out.set_first_ms(finding.first_ms);
  out.set_last_ms(finding.last_ms);
  out.set_what(finding.what);
}

void put_progress(std::uint64_t done, std::uint64_t total, const std::string& file, v1::StoreProgress& out) {
  out.set_done_bytes(done);
  out.set_total_bytes(total);
  out.set_file(file);
}

Result<void> check(const StoreSources& sources, MessageStream<v1::CheckEvent>& stream) {
  Pace pace;
  CheckCallbacks callbacks;
  callbacks.found = [&](const CheckFinding& finding) {
    log::warn("history", "a check found something wrong",
              {{"file", finding.file}, {"host", finding.host}, {"what", finding.what}});
    v1::CheckEvent event;
    put_finding(finding, *event.mutable_finding());
    (void)stream.send(std::move(event));
  };
  callbacks.progress = [&](std::uint64_t done, std::uint64_t total, const std::string& file) {
    if (!pace.due()) return true;
    v1::CheckEvent event;
    put_progress(done, total, file, *event.mutable_progress());
    return stream.send(std::move(event));
  };
  const auto totals = sources.history.check(sources.also, callbacks);
  if (!totals) return totals.error();
  v1::CheckEvent event;
  v1::CheckDone& done = *event.mutable_done();
  done.set_files(totals->files);
  done.set_bytes(totals->bytes);
  done.set_blocks(totals->blocks);
  done.set_samples(totals->samples);
  done.set_groups(totals->groups);
  done.set_findings(totals->findings);
  (void)stream.send(std::move(event));
  return {};
}

Result<void> back_up(const StoreSources& sources, const v1::BackupRequest& request,
                     MessageStream<v1::BackupPart>& stream) {
  Pace pace;
  SnapshotRequest wanted;
  wanted.also = sources.also;
  if (request.identity()) wanted.copy_more = sources.copy_identity;
  for (const auto& known : request.known())
    wanted.known.push_back({known.name(), known.bytes(), known.modified_ns()});
  wanted.progress = [&](std::uint64_t done, std::uint64_t total, const std::string& file) {
    if (!pace.due()) return !stream.gone();
    v1::BackupPart part;
    put_progress(done, total, file, *part.mutable_progress());
    return stream.send(std::move(part));
  };
  const auto snapshot = sources.history.snapshot(std::move(wanted));
  if (!snapshot) return snapshot.error();
  return send_backup(**snapshot, [&](v1::BackupPart part) { return stream.send(std::move(part)); });
}

}  // namespace

void put_senders(std::span<const HostInfo> hosts, v1::StoreStatus& out) {
  for (const HostInfo& host : hosts) {
    if (host.state == HostState::left) continue;
    if (kind_of(host.name) != HostKind::agent) {
      out.set_other_series(out.other_series() + host.series);
      continue;
    }
    out.set_hosts(out.hosts() + 1);
    out.set_series(out.series() + host.series);
  }
}

StoreService::StoreService(StoreSources sources) : sources_(std::move(sources)) {
  check_.start();
  backup_.start();
}

void StoreService::stop() {
  check_.stop();
  backup_.stop();
}

grpc::ServerUnaryReactor* StoreService::GetStoreStatus(grpc::CallbackServerContext* context,
                                                       const v1::GetStoreStatusRequest* request,
                                                       v1::StoreStatus* response) {
  return answer(sources_.engine, context,
                [this, request, response](const QueryEngine::Cancelled&) -> Result<void> {
                  const auto hosts = sources_.engine.view().hosts();
                  if (!hosts) return hosts.error();
                  put_senders(*hosts, *response);
                  response->set_now_ms(sources_.now_ms());
                  response->set_samples_per_second(sources_.samples_per_second());
                  response->set_agent_samples_per_second(sources_.agent_samples_per_second());
                  put_store(sources_.history, sources_.also, *response);
                  if (!request->files()) return {};
                  put_files(sources_, *response);
                  return {};
                });
}

grpc::ServerWriteReactor<v1::CheckEvent>* StoreService::CheckStore(grpc::CallbackServerContext*,
                                                                   const v1::CheckStoreRequest*) {
  return run_alone<v1::CheckEvent>(
      check_, checking_, [this](MessageStream<v1::CheckEvent>& stream) { return check(sources_, stream); });
}

grpc::ServerWriteReactor<v1::BackupPart>* StoreService::Backup(grpc::CallbackServerContext* context,
                                                               const v1::BackupRequest* request) {
  // Noted before it begins: what has left has left, whether or not it comes to its end.
  const auto work = [this, request = *request, actor = sources_.log.actor(*context)](
                        MessageStream<v1::BackupPart>& stream) -> Result<void> {
    if (sources_.log.audit != nullptr) {
      if (auto noted = sources_.log.audit->note(actor, {"backup", "", "", ""}); !noted) return noted;
    }
    return back_up(sources_, request, stream);
  };
  return run_alone<v1::BackupPart>(backup_, backing_up_, work);
}

}  // namespace vigil::aggregator
