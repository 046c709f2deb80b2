#include "agent/spool/background_disk.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace vigil::agent {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

struct BackgroundDisk::Shared {
  using Work = std::function<Result<void>(Disk& disk)>;
  struct Job {
    Call call = Call::write;
    std::string name;
    std::size_t bytes = 0;
    Work work;
    std::uint64_t number = 0;  // of calls that change something; 0: of others
  };

  explicit Shared(BackgroundDiskOptions the_options) : options(std::move(the_options)) {}

  void loop();
  bool open_disk();
  bool run_next(std::unique_lock<std::mutex>& lock);
  std::optional<Error> trouble_locked() const;
  Result<void> queue_locked(Job job);

  const BackgroundDiskOptions options;
  std::thread thread;
  std::unique_ptr<Disk> disk;  // the inner thread's

  std::mutex mutex;  // protects what follows
  std::condition_variable changed;
  std::deque<Job> jobs;
  std::size_t queued_bytes = 0;
  std::uint64_t issued = 0;
  std::uint64_t done = 0;
  std::deque<Failure> failures;
  std::map<std::string, std::optional<Result<std::string>>> reads;  // nothing: on its way
  std::optional<Space> space;
  bool asking_space = false;
  std::optional<Clock::time_point> busy_since;
  std::optional<Error> closed;  // it could not be opened
  bool quitting = false;
  bool ended = false;
};

void BackgroundDisk::Shared::loop() {
  ::pthread_setname_np(::pthread_self(), "spool");
  if (open_disk()) {
    std::unique_lock lock(mutex);
    while (run_next(lock)) {
    }
  }
  disk.reset();
  const std::lock_guard lock(mutex);
  ended = true;
  changed.notify_all();
}

bool BackgroundDisk::Shared::open_disk() {
  {
    const std::lock_guard lock(mutex);
    busy_since = options.now();
  }
  auto opened = options.open();
  if (opened) {
    disk = std::move(*opened);
    options.opened(*disk);
  }
  const std::lock_guard lock(mutex);
  busy_since.reset();
  if (!opened) closed = opened.error();
  if (!quitting) options.wake();
  return !closed;
}

/// False at the end.
bool BackgroundDisk::Shared::run_next(std::unique_lock<std::mutex>& lock) {
  if (jobs.empty()) {
    if (quitting) return false;
    changed.wait(lock);
    return true;
  }
  Job job = std::move(jobs.front());
  jobs.pop_front();
  busy_since = options.now();
  lock.unlock();
  auto result = job.work(*disk);
  lock.lock();
  busy_since.reset();
  queued_bytes -= job.bytes;
  if (job.number != 0) done = job.number;
  if (!result) failures.push_back({job.call, job.name, job.number, result.error()});
  if (!quitting && (!result || job.number == 0)) options.wake();
  if (jobs.empty()) changed.notify_all();
  return true;
}

std::optional<Error> BackgroundDisk::Shared::trouble_locked() const {
  if (closed) return closed;
  if (busy_since && options.now() - *busy_since >= options.patience)
    return fail(Errc::timeout, "the disk has not answered for {} ms", options.patience.count());
  if (queued_bytes > options.most_queued)
    return fail(Errc::limit, "the disk is slow: {} bytes wait for it", queued_bytes);
  return {};
}

Result<void> BackgroundDisk::Shared::queue_locked(Job job) {
  if (auto trouble = trouble_locked()) return *trouble;
  queued_bytes += job.bytes;
  jobs.push_back(std::move(job));
  changed.notify_all();
  return {};
}

BackgroundDisk::BackgroundDisk(BackgroundDiskOptions options)
    : shared_(std::make_shared<Shared>(std::move(options))) {
  shared_->thread = std::thread([shared = shared_] { shared->loop(); });
}

BackgroundDisk::~BackgroundDisk() {
  std::unique_lock lock(shared_->mutex);
  shared_->quitting = true;
  shared_->changed.notify_all();
  const bool ended = shared_->changed.wait_for(lock, kPatience, [this] { return shared_->ended; });
  if (!ended) shared_->jobs.clear();  // whatever returns has nothing more to do
  lock.unlock();
  if (ended) {
    shared_->thread.join();
  } else {
    shared_->thread.detach();  // it hangs inside the kernel and holds all it needs
  }
}

Result<void> BackgroundDisk::write(const std::string& name, std::uint64_t offset, std::string_view bytes) {
  const std::lock_guard lock(shared_->mutex);
  Shared::Job job{Call::write, name, bytes.size(), {}, shared_->issued + 1};
  job.work = [name, offset, copy = std::string(bytes)](Disk& disk) { return disk.write(name, offset, copy); };
  auto queued = shared_->queue_locked(std::move(job));
  if (queued) ++shared_->issued;
  return queued;
}

Result<void> BackgroundDisk::sync(const std::string& name) {
  const std::lock_guard lock(shared_->mutex);
  Shared::Job job{Call::sync, name, 0, [name](Disk& disk) { return disk.sync(name); }, shared_->issued + 1};
  auto queued = shared_->queue_locked(std::move(job));
  if (queued) ++shared_->issued;
  return queued;
}

Result<void> BackgroundDisk::clear(const std::string& name) {
  const std::lock_guard lock(shared_->mutex);
  Shared::Job job{Call::clear, name, 0, [name](Disk& disk) { return disk.clear(name); }, shared_->issued + 1};
  auto queued = shared_->queue_locked(std::move(job));
  if (queued) ++shared_->issued;
  return queued;
}

/// Queued whatever the disk's state: what is not needed any more must not come back at the next start.
Result<void> BackgroundDisk::remove(const std::string& name) {
  const std::lock_guard lock(shared_->mutex);
  shared_->reads.erase(name);
  if (shared_->closed) return {};
  shared_->jobs.push_back(
      {Call::remove, name, 0, [name](Disk& disk) { return disk.remove(name); }, ++shared_->issued});
  shared_->changed.notify_all();
  return {};
}

Result<std::string> BackgroundDisk::read(const std::string& name) {
  const std::lock_guard lock(shared_->mutex);
  const auto [at, asked] = shared_->reads.try_emplace(name);
  if (at->second) {
    auto brought = std::move(*at->second);
    shared_->reads.erase(at);
    return brought;
  }
  if (asked) {
    shared_->jobs.push_back({Call::read, name, 0,
                             [name, shared = shared_.get()](Disk& disk) -> Result<void> {
                               auto brought = disk.read(name);
                               const std::lock_guard done(shared->mutex);
                               const auto wanted = shared->reads.find(name);
                               if (wanted != shared->reads.end()) wanted->second = std::move(brought);
                               return {};
                             },
                             0});
    shared_->changed.notify_all();
  }
  return fail(Errc::unavailable, "{} is being read", name);
}

Result<std::vector<std::string>> BackgroundDisk::list() {
  return fail(Errc::unsupported, "what a disk in the background has is seen when it is opened");
}

Result<Disk::Space> BackgroundDisk::space() {
  const std::lock_guard lock(shared_->mutex);
  if (!shared_->asking_space && !shared_->closed) {
    shared_->asking_space = true;
    shared_->jobs.push_back({Call::read, "", 0,
                             [shared = shared_.get()](Disk& disk) -> Result<void> {
                               const auto now = disk.space();
                               const std::lock_guard done(shared->mutex);
                               shared->asking_space = false;
                               if (now) shared->space = *now;
                               return {};
                             },
                             0});
    shared_->changed.notify_all();
  }
  if (!shared_->space) return fail(Errc::unavailable, "the disk has not said yet");
  return *shared_->space;
}

std::uint64_t BackgroundDisk::issued() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->issued;
}

std::uint64_t BackgroundDisk::done() const {
  const std::lock_guard lock(shared_->mutex);
  // What failed is not done, and nothing after it before the failure was looked at.
  for (const Failure& failure : shared_->failures)
    if (failure.number != 0) return failure.number - 1;
  return shared_->done;
}

std::optional<Disk::Failure> BackgroundDisk::next_failure() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->failures.empty()) return {};
  Failure failure = std::move(shared_->failures.front());
  shared_->failures.pop_front();
  return failure;
}

std::optional<Error> BackgroundDisk::trouble() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->trouble_locked();
}

}  // namespace vigil::agent
