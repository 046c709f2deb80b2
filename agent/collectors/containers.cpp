// Containers: identity, state, health, restarts and OOM kills from the runtime's socket (followed on a thread
// of its own, see agent/containers/watcher.h); CPU, memory, I/O, processes and pressure from cgroup files;
// network from /proc/PID/net/dev. docs/containers.md is the user's page.
#include "agent/collectors/container_series.h"
#include "agent/collectors/table.h"
#include "agent/containers/attachment.h"
#include "agent/containers/sources.h"
#include "agent/containers/usage.h"

#include <sys/resource.h>

#include <algorithm>
#include <unordered_map>

namespace vigil::agent {
namespace {

/// How long the start may wait for a runtime's first answer, so that the first tick, and --once, have names.
/// Before the first beat: a daemon that hangs delays the start by this, once.
constexpr auto kFirstAnswer = std::chrono::milliseconds(400);
constexpr std::int64_t kAttachAgainMs = 5000;
constexpr std::size_t kShortId = 12;

/// Half of the descriptors the process may have; the rest of the files is opened for each read.
int descriptor_budget() {
  rlimit limit{};
  const bool known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
  return static_cast<int>(std::min<rlim_t>(known ? limit.rlim_cur / 2 : 512, 32768));
}

/// A container with what is kept for it from tick to tick.
struct Item {
  KnownContainer known;
  std::string short_id;
  std::optional<UsageReader> reader;
  Usage usage;
  bool alive = false;               // its cgroup could be read at this tick
  std::int64_t next_attach_ms = 0;  // do not look for the cgroup before
  std::int64_t last_seen_s = 0;
  std::int64_t oom_events = 0;  // never goes back
};

class ContainersCollector final : public Collector {
 public:
  explicit ContainersCollector(const CollectorOptions& options)
      : roots_(options.roots),
        mounts_(find_cgroup_mounts(options.roots)),
        devices_(options.roots.sysfs),
        sources_(sockets_to_watch(options.docker_socket, options.roots), mounts_) {
    context_.descriptors_left = descriptor_budget();
    sources_.wait_for_first(kFirstAnswer);
  }

  std::string_view name() const override { return "containers"; }
  std::string_view job() const override { return "container"; }

  Result<void> collect(const Tick& tick, Sheet& sheet) override {
    SourcesSnapshot now = sources_.snapshot();
    if (now != snapshot_) {
      snapshot_ = std::move(now);
      rebuild();
    }
    bool anything = mounts_.any();
    for (const auto& view : snapshot_.runtimes) {
      if (view == nullptr || !view->known) continue;
      anything = true;
      put_runtime(*view, sheet);
    }
    if (!anything) return fail(Errc::unsupported, "no cgroups and no container runtime");
    for (Item& item : items_) read(tick, item);
    // What alerts look at comes first: if there are more containers than columns, numbers are refused before
    // states.
    for (const Item& item : items_) {
      put_identity({&item.known, item.short_id, item.alive, item.last_seen_s, item.oom_events}, sheet);
    }
    for (const Item& item : items_) {
      if (item.alive) put_usage(item.known.container, item.usage, devices_, sheet);
    }
    return {};
  }

 private:
  /// The new list, with what the old one had already opened and counted.
  void rebuild() {
    std::unordered_map<std::string, Item> old;
    for (Item& item : items_) {
      std::string name = item.known.container.name;
      old.emplace(std::move(name), std::move(item));
    }
    items_.clear();
    for (KnownContainer& known : merge_containers(snapshot_)) {
      Item item;
      if (const auto before = old.find(known.container.name); before != old.end()) {
        item = std::move(before->second);
        if (!same_process(item.known.container, known.container)) detach(item);
        old.erase(before);
      }
      item.known = std::move(known);
      item.short_id = item.known.container.id.substr(0, kShortId);
      items_.push_back(std::move(item));
    }
    for (auto& [name, item] : old) detach(item);
  }

  static bool same_process(const Container& a, const Container& b) {
    return a.id == b.id && a.pid == b.pid && a.started_ms == b.started_ms &&
           a.shares_network == b.shares_network && has_processes(a.state) == has_processes(b.state);
  }

  void detach(Item& item) {
    if (item.reader) item.reader->close(context_);
    item.reader.reset();
    item.next_attach_ms = 0;
  }

  void read(const Tick& tick, Item& item) {
    read_usage(tick, item);
    const Container& container = item.known.container;
    if (item.alive) item.last_seen_s = tick.wall_ms / 1000;
    if (item.last_seen_s == 0) item.last_seen_s = container.finished_ms / 1000;
    // The cgroup counts this life, the runtime all of them; the cgroup is there even when the runtime is not.
    item.oom_events = std::max(item.oom_events, container.oom_events);
    if (item.alive && item.usage.oom_kills != kAbsent) {
      item.oom_events = std::max(item.oom_events, container.oom_events_before_life + item.usage.oom_kills);
    }
  }

  void read_usage(const Tick& tick, Item& item) {
    item.alive = false;
    if (!has_processes(item.known.container.state)) return;
    if (!item.reader && tick.wall_ms >= item.next_attach_ms) {
      item.reader = attach(item.known, mounts_, roots_.procfs);
      item.next_attach_ms = tick.wall_ms + kAttachAgainMs;
    }
    if (!item.reader) return;
    item.alive = item.reader->read(item.usage, context_);
    if (item.alive) return;
    item.reader->close(context_);
    item.reader.reset();  // the runtime will say what became of it; until then it is looked for again
  }

  const Roots roots_;
  const CgroupMounts mounts_;
  DeviceNames devices_;
  ReadContext context_;
  ContainerSources sources_;
  SourcesSnapshot snapshot_;
  std::vector<Item> items_;
};

}  // namespace

std::unique_ptr<Collector> make_containers(const CollectorOptions& options) {
  return std::make_unique<ContainersCollector>(options);
}

}  // namespace vigil::agent
