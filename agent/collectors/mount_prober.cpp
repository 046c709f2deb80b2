#include "agent/collectors/mount_prober.h"

#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace vigil::agent {

int call_statvfs(const std::string& path, struct statvfs& out) {
  return ::statvfs(path.c_str(), &out) == 0 ? 0 : errno;
}

/// Shared by a prober and its threads; its mutex guards the desks of all of them (they are few and hold it
/// for moments).
struct MountProber::Board {
  std::mutex mutex;
  std::condition_variable changed;
  StatvfsCall call;
};

namespace {

struct Task {
  std::uint64_t round = 0;
  std::size_t index = 0;  // in the questions of that round
  std::string path;
};

struct Done {
  std::uint64_t round = 0;
  std::size_t index = 0;
  MountAnswer answer;
};

MountAnswer answer_from(int error_number, const struct statvfs& stat) {
  MountAnswer answer;
  answer.state = error_number == 0 ? MountAnswer::State::answered : MountAnswer::State::refused;
  answer.error_number = error_number;
  answer.stat = stat;
  return answer;
}

}  // namespace

/// One thread and its desk. Destroying it joins, so only idle or ended workers may be destroyed.
class MountProber::Worker {
 public:
  struct Desk {
    std::deque<Task> todo;
    std::vector<Done> done;
    bool busy = false;
    Task current;
    Clock::time_point since;  // of `current`
    bool stop = false;
    bool ended = false;
  };

  explicit Worker(std::shared_ptr<Board> board)
      : board_(std::move(board)), desk_(std::make_shared<Desk>()), thread_(serve, board_, desk_) {}
  ~Worker() {
    {
      const std::lock_guard lock(board_->mutex);
      desk_->stop = true;
    }
    board_->changed.notify_all();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Desk& desk() { return *desk_; }
  Board& board() { return *board_; }

 private:
  static void serve(const std::shared_ptr<Board>& board, const std::shared_ptr<Desk>& desk) {
    ::pthread_setname_np(::pthread_self(), "mount-prober");
    std::unique_lock lock(board->mutex);
    while (true) {
      board->changed.wait(lock, [&] { return desk->stop || !desk->todo.empty(); });
      if (desk->stop) break;
      desk->current = std::move(desk->todo.front());
      desk->todo.pop_front();
      desk->busy = true;
      desk->since = Clock::now();
      const std::string path = desk->current.path;
      board->changed.notify_all();  // the deadline of this mount starts now
      lock.unlock();
      struct statvfs stat {};
      const int error_number = board->call(path, stat);
      lock.lock();
      desk->busy = false;
      desk->done.push_back({desk->current.round, desk->current.index, answer_from(error_number, stat)});
      board->changed.notify_all();
    }
    desk->ended = true;
  }

  std::shared_ptr<Board> board_;
  std::shared_ptr<Desk> desk_;
  std::thread thread_;
};

struct MountProber::Round {
  std::uint64_t number = 0;
  Clock::time_point deadline;        // of all tasks but those of the local worker
  std::vector<MountAnswer> answers;  // stuck until answered
  std::vector<bool> pending;
  std::size_t open = 0;

  void settle(std::size_t index) {
    if (!pending[index]) return;
    pending[index] = false;
    --open;
  }
};

namespace {

template <class Worker>
struct Parking {
  std::mutex mutex;
  std::vector<std::unique_ptr<Worker>> workers;
};

/// Never destroyed: at the end of the process its threads may still be inside the kernel.
template <class Worker>
Parking<Worker>& parking() {
  static auto* const place = new Parking<Worker>;
  return *place;
}

}  // namespace

MountProber::MountProber(StatvfsCall call, std::chrono::milliseconds deadline)
    : deadline_(deadline), board_(std::make_shared<Board>()) {
  board_->call = std::move(call);
  parked_threads();
}

MountProber::~MountProber() {
  if (local_ != nullptr) park(std::move(local_));
  for (auto& [path, worker] : own_) park(std::move(worker));
}

void MountProber::park(std::unique_ptr<Worker> worker) {
  bool stuck = false;
  {
    const std::lock_guard lock(worker->board().mutex);
    worker->desk().stop = true;
    stuck = worker->desk().busy;
  }
  if (!stuck) return;  // destroyed here, which joins
  auto& place = parking<Worker>();
  const std::lock_guard lock(place.mutex);
  place.workers.push_back(std::move(worker));
}

std::size_t MountProber::parked_threads() {
  auto& place = parking<Worker>();
  const std::lock_guard lock(place.mutex);
  std::erase_if(place.workers, [](const auto& worker) {
    const std::lock_guard desk_lock(worker->board().mutex);
    return worker->desk().ended;
  });
  return place.workers.size();
}

std::size_t MountProber::threads() const {
  return own_.size() + (local_ != nullptr ? 1 : 0);
}

/// Ends the threads of mounts that are gone, and of local mounts that got unstuck and go back to the common
/// thread.
void MountProber::release_workers(std::span<const MountQuestion> questions) {
  for (auto it = own_.begin(); it != own_.end();) {
    const bool needed = std::any_of(questions.begin(), questions.end(), [&](const MountQuestion& question) {
      return question.place == MountQuestion::Place::remote && question.path == it->first;
    });
    bool busy = false;
    {
      const std::lock_guard lock(board_->mutex);
      busy = it->second->desk().busy;
    }
    it = needed || busy ? std::next(it) : own_.erase(it);
  }
}

/// The thread to ask, or null when that mount is still stuck in an earlier question or no thread can be had.
MountProber::Worker* MountProber::worker_for(const MountQuestion& question, Round& round) {
  const auto found = own_.find(question.path);
  if (found != own_.end()) return found->second->desk().busy ? nullptr : found->second.get();
  try {  // std::thread throws when the process may have no more of them (RLIMIT_NPROC, pids.max)
    if (question.place == MountQuestion::Place::remote) {
      return own_.emplace(question.path, std::make_unique<Worker>(board_)).first->second.get();
    }
    if (local_ == nullptr) local_ = std::make_unique<Worker>(board_);
    return local_.get();
  } catch (const std::system_error& error) {
    round.answers.back() = answer_from(error.code().value(), {});
    return nullptr;
  }
}

void MountProber::hand_out(std::span<const MountQuestion> questions, Round& round) {
  const std::lock_guard lock(board_->mutex);
  for (const MountQuestion& question : questions) {
    const std::size_t index = round.answers.size();
    round.answers.emplace_back();
    round.pending.push_back(false);
    Worker* const worker = worker_for(question, round);
    if (worker == nullptr) continue;
    worker->desk().todo.push_back({round.number, index, question.path});
    round.pending[index] = true;
    ++round.open;
  }
}

void MountProber::collect_answers(Worker& worker, Round& round) const {
  for (Done& done : worker.desk().done) {
    if (done.round != round.number || !round.pending[done.index])
      continue;  // too late: an old value is no value
    round.answers[done.index] = done.answer;
    round.settle(done.index);
  }
  worker.desk().done.clear();
}

MountProber::Clock::time_point MountProber::next_deadline(const Round& round) const {
  if (local_ == nullptr || !local_->desk().busy) return round.deadline;
  return std::min(round.deadline, local_->desk().since + deadline_);
}

/// The local thread stays with the mount it is stuck in; a new one takes over what it had still to do.
void MountProber::replace_local(Round& round) {
  round.settle(local_->desk().current.index);
  std::deque<Task> rest = std::exchange(local_->desk().todo, {});
  std::string path = local_->desk().current.path;
  own_.insert_or_assign(std::move(path), std::move(local_));
  if (rest.empty()) return;
  try {
    local_ = std::make_unique<Worker>(board_);
    local_->desk().todo = std::move(rest);
  } catch (const std::system_error&) {
    for (const Task& task : rest) round.settle(task.index);
  }
}

void MountProber::give_up_late(Clock::time_point now, Round& round) {
  if (local_ != nullptr && local_->desk().busy && now >= local_->desk().since + deadline_)
    replace_local(round);
  if (now < round.deadline) return;
  for (const auto& [path, worker] : own_) {
    const auto& desk = worker->desk();
    if (desk.busy && desk.current.round == round.number) round.settle(desk.current.index);
    for (const Task& task : desk.todo) round.settle(task.index);
  }
  round.deadline = Clock::time_point::max();  // what is left belongs to the local thread
}

std::vector<MountAnswer> MountProber::ask(std::span<const MountQuestion> questions) {
  parked_threads();
  release_workers(questions);
  Round round;
  round.number = ++rounds_;
  round.deadline = Clock::now() + deadline_;
  hand_out(questions, round);
  board_->changed.notify_all();

  std::unique_lock lock(board_->mutex);
  while (true) {
    if (local_ != nullptr) collect_answers(*local_, round);
    for (const auto& [path, worker] : own_) collect_answers(*worker, round);
    if (round.open == 0) break;
    give_up_late(Clock::now(), round);
    if (round.open == 0) break;
    board_->changed.notify_all();  // a new local thread may have work
    const auto until = next_deadline(round);
    if (until == Clock::time_point::max()) {
      board_->changed.wait(lock);
    } else {
      board_->changed.wait_until(lock, until);
    }
  }
  return std::move(round.answers);
}

}  // namespace vigil::agent
