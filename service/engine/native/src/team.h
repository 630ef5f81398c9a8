// Team: threads that wait for work, and share a list of tasks until it is done.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

class Team {
 public:
  // The calling thread is member 0 of the team: `members` - 1 threads are started.
  explicit Team(int members);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int members() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls work(task, member) once for each task in 0..tasks-1; returns when all are done. One call
  // at a time. `work` must not throw.
  void share(int tasks, const std::function<void(int, int)>& work);

 private:
  void wait_for_work(int member);
  void take_tasks(int member);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable started_, finished_;
  const std::function<void(int, int)>* work_ = nullptr;
  std::atomic<int> next_{0};
  int tasks_ = 0, busy_ = 0;
  unsigned round_ = 0;  // tells a thread that woke by chance from one that has new work
  bool ending_ = false;
};
