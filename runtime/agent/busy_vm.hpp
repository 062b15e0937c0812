// One request at a time may start, begin or receive a VM. Rule: held by the coroutine's frame, so
// it is free again however the request ends.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/base/ids.hpp"

#include <set>

namespace drover {

class busy_vm {
public:
  busy_vm(std::set<vm_id>& all, vm_id vm) : all_(all), vm_(vm), taken_(all.insert(vm).second) {}
  busy_vm(const busy_vm&) = delete;
  busy_vm& operator=(const busy_vm&) = delete;
  ~busy_vm() {
    if (taken_)
      all_.erase(vm_);
  }

  bool taken() const { return taken_; }
  tl::unexpected<error> refusal() const {
    return fail(errc::retry, "another request is at work on VM " + to_string(vm_));
  }

private:
  std::set<vm_id>& all_;
  const vm_id vm_;
  const bool taken_;
};

} // namespace drover
