#include "agent/containers/watcher.h"

#include "agent/containers/engine_api.h"
#include "common/clock.h"
#include "common/log/log.h"

#include <pthread.h>
#include <unistd.h>

namespace vigil::agent {
namespace {

using Clock = std::chrono::steady_clock;

// Inspections that may time out in one refresh before the rest waits for the next listing.
constexpr int kHungAtMost = 2;
constexpr auto kLongestPause = std::chrono::milliseconds(5000);

/// Podman's events of everyday work that change nothing we show.
bool concerns_us(std::string_view action) {
  return !action.starts_with("exec") && action != "attach" && action != "mount" && action != "unmount" &&
         action != "sync" && action != "top" && action != "resize";
}

}  // namespace

Watcher::Watcher(WatcherOptions options)
    : options_(std::move(options)),
      peer_{options_.socket_path, options_.limits, &stop_},
      roster_(options_.runtime) {
  status_.runtime = options_.runtime;
  view_ = std::make_shared<RuntimeView>(status_);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "containers");
}

Watcher::~Watcher() {
  stop_.request();
  thread_.join();
}

std::shared_ptr<const RuntimeView> Watcher::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

void Watcher::wait_for_first(std::chrono::milliseconds longest) const {
  std::unique_lock lock(mutex_);
  first_done_.wait_for(lock, longest, [this] { return first_ended_; });
}

void Watcher::publish() {
  auto view = std::make_shared<RuntimeView>(status_);
  view->containers = roster_.containers();
  view->refused = roster_.refused();
  const std::lock_guard lock(mutex_);
  if (*view != *view_) view_ = std::move(view);  // readers tell by the pointer whether anything changed
  first_ended_ = true;
  first_done_.notify_all();
}

void Watcher::run() {
  auto backoff = options_.backoff_first;
  std::string logged;  // the same trouble is logged once
  while (!stop_.requested()) {
    const bool has_socket = ::access(options_.socket_path.c_str(), F_OK) == 0;
    const auto ended = session();
    if (stop_.requested()) return;
    // vigil-docker-reader's socket is there even where the engine's is not: then nothing is found behind it.
    const bool found = has_socket && (ended || ended.error().code != Errc::not_found);
    const bool there = options_.configured || found;
    status_.known = status_.known || there;
    if (status_.up) {
      backoff = options_.backoff_first;
      logged.clear();
    }
    status_.up = false;
    status_.trouble = ended ? "" : ended.error().message;
    if (status_.known) ++status_.failures;
    if (there && logged != status_.trouble) {
      log::warn(
          "containers", "runtime does not answer",
          {{"runtime", status_.runtime}, {"socket", options_.socket_path}, {"trouble", status_.trouble}});
      logged = status_.trouble;
    }
    publish();
    if (stop_.wait_until(Clock::now() + backoff)) return;
    backoff = std::min(backoff * 2, options_.backoff_most);
  }
}

Result<void> Watcher::session() {
  // Podman starts other programs to tell its version, which takes a second: containers come first there.
  const bool version_last = options_.runtime == "podman" && status_.version.empty();
  if (const auto greeted = version_last ? ping() : greet(); !greeted) return greeted.error();
  // Before the listing, so that nothing falls between the two.
  auto events = open_events();
  if (!events) return events.error();
  if (const auto listed = list(); !listed) return listed.error();
  inspect_changed();
  status_.known = status_.up = status_.listed = true;
  status_.trouble.clear();
  publish();
  if (version_last) {
    if (const auto greeted = greet(); !greeted) return greeted.error();
    publish();
  }
  log::info("containers", "following a runtime",
            {{"runtime", status_.runtime}, {"version", status_.version}, {"socket", options_.socket_path}});
  return follow(*events);
}

Result<void> Watcher::greet() {
  // A filtering proxy may refuse /version; without it the daemon's current API is used, unversioned.
  const auto text = http_get(peer_, "/version");
  if (!text && text.error().code != Errc::permission && text.error().code != Errc::not_found)
    return text.error();
  if (!text) {
    if (const auto pong = http_get(peer_, "/_ping"); !pong) return pong.error();
    return {};
  }
  const auto version = parse_version(*text);
  if (!version) return version.error();
  status_.runtime = version->engine;
  status_.version = version->version;
  const bool plain =
      version->api.find_first_not_of("0123456789.") == std::string::npos && version->api.size() < 16;
  api_prefix_ = plain ? "/v" + version->api : "";
  return {};
}

Result<HttpLines> Watcher::open_events() const {
  const std::string_view filter = status_.runtime == "docker" ? kDockerFilter : kContainerFilter;
  std::string target = fmt::format("{}/events?filters={}", api_prefix_, filter);
  // What happened while we were away is told again by the daemon, as far as it remembers.
  if (last_event_ns_ > 0) {
    const std::int64_t next = last_event_ns_ + 1;
    target += fmt::format("&since={}.{:09}", next / 1'000'000'000, next % 1'000'000'000);
  }
  return HttpLines::open(peer_, target);
}

Result<void> Watcher::list() {
  const auto text = http_get(peer_, api_prefix_ + "/containers/json?all=1");
  if (!text) return text.error();
  const auto listed = parse_container_list(*text);
  if (!listed) return listed.error();
  roster_.apply(*listed, wall_ms());
  next_list_ = Clock::now() + options_.relist;
  return {};
}

void Watcher::inspect_changed() {
  int hung = 0;
  for (const std::string& id : roster_.take_to_inspect()) {
    if (stop_.requested()) return;
    if (hung >= kHungAtMost) {
      roster_.inspect_later(id);
      continue;
    }
    const auto text = http_get(peer_, fmt::format("{}/containers/{}/json", api_prefix_, id));
    if (text) {
      const auto inspected = parse_inspect(*text);
      if (inspected) roster_.apply(*inspected);
      if (!inspected) ++status_.failures;
      continue;
    }
    if (text.error().code == Errc::not_found) {
      roster_.gone(id, wall_ms());
    } else {
      ++status_.failures;
      roster_.inspect_later(id);
      if (text.error().code == Errc::timeout) ++hung;
    }
  }
}

Result<void> Watcher::ping() const {
  const auto pong = http_get(peer_, "/_ping");
  if (pong) return {};
  // A filtering proxy that answers "no" is an answer.
  const Errc code = pong.error().code;
  if (code == Errc::permission || code == Errc::not_found || code == Errc::unsupported) return {};
  return pong.error();
}

Result<void> Watcher::refresh() {
  if (roster_.wants_listing() || Clock::now() >= next_list_ || roster_.unconfirmed()) {
    if (const auto listed = list(); !listed) return listed.error();
  }
  inspect_changed();
  publish();
  return {};
}

void Watcher::take(std::string_view line) {
  const auto event = parse_event(line);
  if (!event) {
    ++status_.failures;
    return;
  }
  last_event_ns_ = std::max(last_event_ns_, event->time_ns);
  if (concerns_us(event->action)) roster_.apply(*event);
}

Result<void> Watcher::follow(HttpLines& events) {
  auto pause = options_.debounce;
  std::optional<Clock::time_point> due;  // of the refresh that events asked for
  while (!stop_.requested()) {
    const auto confirm = Clock::now() + std::chrono::milliseconds(Roster::kConfirmAfterMs);
    if (roster_.unconfirmed()) next_list_ = std::min(next_list_, confirm);
    const auto next_work = std::min(next_list_, due.value_or(next_list_));
    const auto next_ping = Clock::now() + options_.ping;
    const auto line = events.next(std::min(next_work, next_ping));
    if (!line) return line.error();
    if (!*line && Clock::now() < next_work) {  // nothing happened for a while: is it still there?
      if (const auto pong = ping(); !pong) return pong.error();
      continue;
    }
    if (*line) {
      take(**line);
      if (!due) due = Clock::now() + pause;
      if (Clock::now() < std::min(*due, next_list_))
        continue;  // a flood of events cannot put the refresh off
    }
    const auto begun = Clock::now();
    if (const auto refreshed = refresh(); !refreshed) return refreshed.error();
    // On a host that starts containers all the time, at most a fifth of the time goes into asking.
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
    pause = std::clamp(took * 4, options_.debounce, std::max(options_.debounce, kLongestPause));
    due.reset();
  }
  return {};
}

}  // namespace vigil::agent
