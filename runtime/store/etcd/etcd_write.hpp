// One write to etcd, exactly once although answers get lost. Pure: what to send, and what an answer
// means; etcd_commit.cpp sends it.
//
// Rule: every transaction replaces this node's mark, and asks that the mark be the one of the write
// before. So of several copies of one write that are under way at most one is applied, none is
// applied after a later write of this node, and the mark tells which write was the last one.
#pragma once

#include "runtime/store/etcd/etcd_messages.hpp"

#include <functional>
#include <optional>
#include <string>

namespace drover::etcd {

class write {
public:
  using present = std::optional<key_value>;
  /// What to write over what is there; an error where it must not be.
  using decision = std::function<result<transaction>(const present&)>;

  struct target {
    std::string mark_key;
    std::string mark; ///< of this write alone
    std::string key;  ///< what it is about; empty: nothing but the mark
  };

  /// `seen` is what a view shows that may lag; `mark_revision` the one of the last write, if it is
  /// known.
  write(target about, decision decide, present seen, std::optional<std::uint64_t> mark_revision);

  /// The next transaction; nullopt where the newest state has to be read first; the decision's
  /// error where that state forbids the write.
  result<std::optional<transaction>> next();
  /// What was read at `revision`: the mark and the key.
  void take_newest(const present& mark, const present& entry, std::uint64_t revision);
  /// The revision at which it is done; nullopt: go on.
  std::optional<std::uint64_t> take_answer(const transaction_answer& answer);
  /// The transaction was not answered.
  void take_failure(errc code);

  /// The newest state that it was judged by.
  std::uint64_t judged_at() const { return judged_at_; }
  std::optional<std::uint64_t> mark_revision() const { return mark_revision_; }
  /// Given up now, nobody could say whether it was done.
  bool may_be_done() const { return may_be_done_; }

private:
  target about_;
  decision decide_;
  present there_;
  /// `there_` is not what a lagging view shows.
  bool is_newest_;
  std::optional<std::uint64_t> mark_revision_;
  std::uint64_t judged_at_ = 0;
  bool may_be_done_ = false;
};

} // namespace drover::etcd
