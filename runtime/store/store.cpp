#include "runtime/store/store.hpp"

#include <memory>
#include <utility>

namespace drover {
namespace {

/// Two answers, in any order, that make one.
struct view_parts {
  callback<vm_view> answer;
  std::optional<result<std::optional<node_id>>> owner;
  std::optional<result<std::optional<handover_record>>> record;

  void join() {
    if (owner && record)
      answer(joined(std::move(*owner), std::move(*record)));
  }
};

} // namespace

result<vm_view> joined(
  result<std::optional<node_id>> owner, result<std::optional<handover_record>> record) {
  if (!owner)
    return tl::unexpected(owner.error());
  if (!record)
    return tl::unexpected(record.error());
  return vm_view{std::move(*owner), std::move(*record)};
}

void store::read_view(vm_id vm, callback<vm_view> answer) {
  const auto parts = std::make_shared<view_parts>();
  parts->answer = std::move(answer);
  read_owner(vm, [parts](result<std::optional<node_id>> owner) {
    parts->owner = std::move(owner);
    parts->join();
  });
  read_record(vm, [parts](result<std::optional<handover_record>> record) {
    parts->record = std::move(record);
    parts->join();
  });
}

void store::read_view_behind_barrier(vm_id vm, callback<vm_view> answer) {
  barrier([this, vm, answer = std::move(answer)](const result<done>& passed) mutable {
    if (!passed)
      return answer(tl::unexpected(passed.error()));
    read_view(vm, std::move(answer));
  });
}

} // namespace drover
