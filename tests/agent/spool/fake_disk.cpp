#include "tests/agent/spool/fake_disk.h"

#include <algorithm>
#include <cerrno>
#include <thread>

namespace vigil::agent::testing {
namespace {

constexpr std::size_t kCleared = std::string::npos;

void apply(std::string& content, std::size_t offset, std::string_view bytes) {
  if (offset == kCleared) return content.clear();
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  content.replace(offset, bytes.size(), bytes);
}

}  // namespace

void FakeDisk::fail(int at, int count, Fault fault) {
  fail_at_ = at;
  fail_count_ = count;
  fault_ = fault;
}

void FakeDisk::fail(int at, int count) {
  fail(at, count, {EIO});
}

Error FakeDisk::broken(const char* what, const std::string& name) const {
  return fail_errno(fault_.error_number, fmt::format("{} {}", fault_.opening ? "open" : what, name));
}

bool FakeDisk::fails() {
  if (fail_at_ == 0 || --fail_at_ > 0) return false;
  fail_at_ = --fail_count_ > 0 ? 1 : 0;
  return true;
}

Result<void> FakeDisk::write(const std::string& name, std::uint64_t offset, std::string_view bytes) {
  const bool full = used() + bytes.size() > capacity;
  const bool failing = fails();
  if (failing && fault_.opening) return broken("write", name);
  const std::string_view done = failing ? bytes.substr(0, bytes.size() / 2) : bytes;
  File& file = files_[name];
  if (full) return fail_errno(ENOSPC, "write " + name);
  apply(file.seen, offset, done);
  file.since.emplace_back(offset, done);
  if (failing) return broken("write", name);
  return {};
}

Result<void> FakeDisk::sync(const std::string& name) {
  if (fails()) return broken("sync", name);
  File& file = files_[name];
  file.durable = file.seen;
  file.since.clear();
  removed_.clear();
  return {};
}

Result<void> FakeDisk::clear(const std::string& name) {
  if (fails()) return broken("clear", name);
  files_[name].seen.clear();
  files_[name].since.emplace_back(kCleared, "");
  return {};
}

Result<void> FakeDisk::remove(const std::string& name) {
  if (fails()) return broken("remove", name);
  const auto at = files_.find(name);
  if (at == files_.end()) return {};
  if (at->second.durable) removed_[name] = *at->second.durable;
  files_.erase(at);
  return {};
}

Result<std::string> FakeDisk::read(const std::string& name) {
  if (read_error != 0) return fail_errno(read_error, "open " + name);
  const auto at = files_.find(name);
  if (at == files_.end()) return vigil::fail(Errc::not_found, "open {}: no such file", name);
  return at->second.seen;
}

Result<std::vector<std::string>> FakeDisk::list() {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

void FakeDisk::cut_power(std::mt19937_64& random) {
  for (auto& [name, content] : removed_)
    if (random() % 2 == 0) files_[name] = File{content, content, {}};
  removed_.clear();
  for (auto at = files_.begin(); at != files_.end();) {
    File& file = at->second;
    if (!file.durable && random() % 2 == 0) {
      at = files_.erase(at);
      continue;
    }
    std::string left = file.durable.value_or("");
    for (const auto& [offset, bytes] : file.since) {
      if (random() % 3 == 0) continue;
      const std::size_t part = random() % 4 == 0 ? random() % (bytes.size() + 1) : bytes.size();
      apply(left, offset, std::string_view(bytes).substr(0, part));
    }
    file = File{left, left, {}};
    ++at;
  }
  fail(0, 0);
}

std::size_t FakeDisk::used() const {
  std::size_t sum = 0;
  for (const auto& [name, file] : files_) sum += file.seen.size();
  return sum;
}

void Gate::pass() {
  std::unique_lock lock(mutex_);
  ++inside_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !closed_; });
  --inside_;
}

void Gate::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void Gate::open() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
  changed_.notify_all();
}

void Gate::await_one_inside() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return inside_ > 0; });
  now_ += std::chrono::hours(1);
}

std::chrono::steady_clock::time_point Gate::now() {
  const std::lock_guard lock(mutex_);
  return now_;
}

namespace {

class GatedDisk final : public Disk {
 public:
  GatedDisk(std::shared_ptr<FakeDisk> disk, std::shared_ptr<Gate> gate)
      : disk_(std::move(disk)), gate_(std::move(gate)) {}
  Result<void> write(const std::string& name, std::uint64_t offset, std::string_view bytes) override {
    gate_->pass();
    return disk_->write(name, offset, bytes);
  }
  Result<void> sync(const std::string& name) override {
    gate_->pass();
    return disk_->sync(name);
  }
  Result<void> clear(const std::string& name) override {
    gate_->pass();
    return disk_->clear(name);
  }
  Result<void> remove(const std::string& name) override {
    gate_->pass();
    return disk_->remove(name);
  }
  Result<std::string> read(const std::string& name) override {
    gate_->pass();
    return disk_->read(name);
  }
  Result<std::vector<std::string>> list() override { return disk_->list(); }
  Result<Space> space() override { return disk_->space(); }

 private:
  const std::shared_ptr<FakeDisk> disk_;
  const std::shared_ptr<Gate> gate_;
};

}  // namespace

std::shared_ptr<BackgroundDisk> in_background(const std::shared_ptr<FakeDisk>& disk,
                                              const std::shared_ptr<Gate>& gate) {
  BackgroundDiskOptions options;
  options.open = [disk, gate]() -> Result<std::unique_ptr<Disk>> {
    return std::unique_ptr<Disk>(new GatedDisk(disk, gate));
  };
  options.opened = [](Disk&) {};
  options.wake = [] {};
  options.now = [gate] { return gate->now(); };
  auto made = std::make_shared<BackgroundDisk>(std::move(options));
  while (made->trouble()) std::this_thread::yield();  // until it is open
  return made;
}

void await_done(const BackgroundDisk& disk) {
  while (disk.done() != disk.issued() || disk.trouble()) std::this_thread::yield();
}

}  // namespace vigil::agent::testing
