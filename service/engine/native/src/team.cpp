// Team: see team.h.
#include "team.h"

#include <system_error>

Team::Team(int members) {
  try {
    for (int member = 1; member < members; member++)
      threads_.emplace_back([this, member] { wait_for_work(member); });
  } catch (const std::system_error&) {
    // A limit on threads: those that did start, and the caller, do all the work.
  }
}

Team::~Team() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  started_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Team::share(int tasks, const std::function<void(int, int)>& work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_ = &work;
    tasks_ = tasks;
    next_ = 0;
    busy_ = static_cast<int>(threads_.size());
    round_++;
  }
  started_.notify_all();
  take_tasks(0);
  std::unique_lock<std::mutex> lock(mutex_);
  finished_.wait(lock, [this] { return busy_ == 0; });
}

void Team::wait_for_work(int member) {
  unsigned seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    started_.wait(lock, [&] { return ending_ || round_ != seen; });
    if (ending_) return;
    seen = round_;
    lock.unlock();
    take_tasks(member);
    lock.lock();
    if (--busy_ == 0) finished_.notify_one();
  }
}

void Team::take_tasks(int member) {
  for (int task = next_++; task < tasks_; task = next_++) (*work_)(task, member);
}
