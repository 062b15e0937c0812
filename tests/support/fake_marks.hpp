// Marks in memory that outlive an agent, as the files do.
#pragma once

#include "runtime/agent/run_marks.hpp"
#include "tests/support/fake_store.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>

namespace drover::test {

class fake_marks : public mark_store {
public:
  fake_marks(fake_cluster& cluster, std::string node) : cluster_(cluster), node_(std::move(node)) {}

  std::map<vm_id, run_marks> all;
  std::optional<error> broken;

  result<std::map<vm_id, run_marks>> load() override {
    if (broken)
      return tl::unexpected{*broken};
    return all;
  }
  result<done> save(vm_id vm, const run_marks& marks) override {
    if (broken)
      return tl::unexpected{*broken};
    cluster_.calls.push_back({cluster_.clock.now(), node_, "marks.save", vm});
    all[vm] = marks;
    return done{};
  }
  result<done> forget(vm_id vm) override {
    if (broken)
      return tl::unexpected{*broken};
    all.erase(vm);
    return done{};
  }

private:
  fake_cluster& cluster_;
  const std::string node_;
};

} // namespace drover::test
