#include "tests/contracts/store_contract.hpp"

namespace drover::contracts {
namespace {

const vm_id vm{100};
const vm_id other_vm{2000};

handover_record moving(vm_id which, std::uint64_t number, const char* source, const char* target) {
  return {which,           epoch{number},  record_state::moving, node_id{source},
          node_id{target}, policy::ticket, "controller",         source_outcome::unpublished};
}

} // namespace

std::map<vm_id, node_id> node_calls::places() {
  auto answer =
    ask<std::map<vm_id, node_id>>(cluster_, [&](auto reply) { port().read_places(reply); });
  REQUIRE(code_of(answer) == "ok");
  return *answer;
}

std::optional<node_id> node_calls::owner(vm_id which) {
  auto answer =
    ask<std::optional<node_id>>(cluster_, [&](auto reply) { port().read_owner(which, reply); });
  REQUIRE(code_of(answer) == "ok");
  return *answer;
}

result<std::string> node_calls::config(vm_id which, std::size_t node) {
  return ask<std::string>(
    cluster_, [&](auto reply) { port().read_config(which, cluster_.name(node), reply); });
}

std::string node_calls::create(vm_id which, std::size_t node, const std::string& text) {
  return code_of(ask<done>(
    cluster_, [&](auto reply) { port().create_config(which, cluster_.name(node), text, reply); }));
}

std::string node_calls::write(vm_id which, std::size_t node, const std::string& text) {
  return edit(which, node, {config(which, node).value_or(""), text});
}

std::string node_calls::edit(vm_id which, std::size_t node, const config_edit& made) {
  return code_of(ask<done>(
    cluster_, [&](auto reply) { port().write_config(which, cluster_.name(node), made, reply); }));
}

std::string node_calls::remove(vm_id which, std::size_t node) {
  return code_of(ask<done>(
    cluster_, [&](auto reply) { port().remove_config(which, cluster_.name(node), reply); }));
}

std::string node_calls::move(vm_id which, std::size_t from, std::size_t to) {
  return code_of(ask<done>(cluster_, [&](auto reply) {
    port().move_config(which, cluster_.name(from), cluster_.name(to), reply);
  }));
}

std::optional<handover_record> node_calls::record(vm_id which) {
  auto answer = ask<std::optional<handover_record>>(
    cluster_, [&](auto reply) { port().read_record(which, reply); });
  REQUIRE(code_of(answer) == "ok");
  return *answer;
}

std::map<vm_id, handover_record> node_calls::records() {
  auto answer = ask<std::map<vm_id, handover_record>>(
    cluster_, [&](auto reply) { port().read_records(reply); });
  REQUIRE(code_of(answer) == "ok");
  return *answer;
}

std::string node_calls::write(const handover_record& record) {
  return code_of(ask<done>(cluster_, [&](auto reply) { port().write_record(record, reply); }));
}

std::string node_calls::barrier() {
  return code_of(ask<done>(cluster_, [&](auto reply) { port().barrier(reply); }));
}

vm_view node_calls::view(vm_id which) {
  auto answer = ask<vm_view>(cluster_, [&](auto reply) { port().read_view(which, reply); });
  REQUIRE(code_of(answer) == "ok");
  return *answer;
}

vm_view node_calls::view_behind_barrier(vm_id which) {
  auto answer =
    ask<vm_view>(cluster_, [&](auto reply) { port().read_view_behind_barrier(which, reply); });
  REQUIRE(code_of(answer) == "ok");
  return *answer;
}

result<done> node_calls::take(const std::string& lock, const std::string& holder) {
  return ask<done>(cluster_, [&](auto reply) { port().take_lock(lock, holder, reply); });
}

std::string node_calls::drop(const std::string& lock, const std::string& holder) {
  return code_of(ask<done>(cluster_, [&](auto reply) { port().drop_lock(lock, holder, reply); }));
}

std::vector<store_lock> node_calls::locks(const std::string& prefix) {
  auto answer =
    ask<std::vector<store_lock>>(cluster_, [&](auto reply) { port().read_locks(prefix, reply); });
  REQUIRE(code_of(answer) == "ok");
  return *answer;
}

void check_places(const cluster_maker& make) {
  const auto cluster = make(3, milliseconds{120'000});
  node_calls a(*cluster, 0);
  node_calls b(*cluster, 1);

  REQUIRE(a.places().empty());
  REQUIRE(a.owner(vm) == std::nullopt);
  REQUIRE(a.create(vm, 0, "name: a\n") == "ok");
  REQUIRE(a.create(other_vm, 2, "name: b\n") == "ok");
  const std::map<vm_id, node_id> both{{vm, a.name()}, {other_vm, cluster->name(2)}};
  CHECK(a.owner(vm) == a.name());
  CHECK(a.places() == both);

  // A number is used once in the whole cluster, whoever asks for it and wherever.
  CHECK(a.create(vm, 0, "name: again\n") == "conflict");
  CHECK(a.create(vm, 1, "name: again\n") == "conflict");
  CHECK(b.create(vm, 1, "name: again\n") == "conflict");

  REQUIRE(b.barrier() == "ok");
  CHECK(b.owner(vm) == a.name());
  CHECK(b.places() == both);
  CHECK(b.owner(vm_id{101}) == std::nullopt);
}

void check_configs(const cluster_maker& make) {
  const auto cluster = make(3, milliseconds{120'000});
  node_calls a(*cluster, 0);
  node_calls b(*cluster, 1);
  const std::string odd = "# gr\xc3\xbc\xc3\x9f\x65\r\nname: a\n\n[snap]\nno: newline";

  CHECK(a.move(vm, 0, 1) == "conflict");
  CHECK(a.write(vm, 0, odd) == "conflict");
  CHECK(a.remove(vm, 0) == "conflict");
  CHECK(code_of(a.config(vm, 0)) == "conflict");

  REQUIRE(a.create(vm, 0, odd) == "ok");
  CHECK(a.config(vm, 0) == odd);
  CHECK(code_of(a.config(vm, 1)) == "conflict");
  CHECK(a.write(vm, 1, "name: wrong\n") == "conflict");
  CHECK(a.remove(vm, 1) == "conflict");
  CHECK(a.move(vm, 1, 2) == "conflict");

  CHECK(a.edit(vm, 0, {"name: a\n", "name: from an older text\n"}) == "conflict");
  CHECK(a.config(vm, 0) == odd);
  REQUIRE(a.write(vm, 0, odd + "er") == "ok");
  REQUIRE(a.move(vm, 0, 1) == "ok");
  CHECK(a.owner(vm) == b.name());
  CHECK(a.config(vm, 1) == odd + "er");
  CHECK(code_of(a.config(vm, 0)) == "conflict");
  // Who moved it away once cannot do it again, and its old place takes no writes.
  CHECK(a.move(vm, 0, 2) == "conflict");
  CHECK(a.write(vm, 0, "name: late\n") == "conflict");

  // Any node may move it, also one that is neither the source nor the target.
  REQUIRE(b.barrier() == "ok");
  CHECK(b.move(vm, 1, 2) == "ok");
  REQUIRE(b.remove(vm, 2) == "ok");
  CHECK(b.owner(vm) == std::nullopt);
  REQUIRE(a.barrier() == "ok");
  CHECK(a.places().empty());
  CHECK(a.create(vm, 0, odd) == "ok");
}

void check_records(const cluster_maker& make) {
  const auto cluster = make(2, milliseconds{120'000});
  node_calls a(*cluster, 0);
  node_calls b(*cluster, 1);
  auto record = moving(vm, 7, "n1", "n2");

  REQUIRE(a.record(vm) == std::nullopt);
  REQUIRE(a.records().empty());
  REQUIRE(a.write(record) == "ok");
  CHECK(a.record(vm) == record);
  REQUIRE(b.barrier() == "ok");
  CHECK(b.record(vm) == record);

  // The same handover may say more of itself; another one needs a number of its own.
  record.state = record_state::settled;
  record.outcome = source_outcome::completed;
  CHECK(b.write(record) == "ok");
  CHECK(b.write(moving(vm, 7, "n1", "n3")) == "conflict");
  CHECK(b.write(moving(vm, 6, "n1", "n2")) == "conflict");
  REQUIRE(a.barrier() == "ok");
  CHECK(a.record(vm) == record);
  CHECK(a.write(moving(vm, 6, "n1", "n2")) == "conflict");

  const auto next = moving(vm, 8, "n2", "n1");
  const auto other = moving(other_vm, 1, "n1", "n2");
  CHECK(a.write(next) == "ok");
  CHECK(a.write(other) == "ok");
  CHECK(a.records() == std::map<vm_id, handover_record>{{vm, next}, {other_vm, other}});
}

void check_views(const cluster_maker& make) {
  const auto cluster = make(2, milliseconds{120'000});
  node_calls a(*cluster, 0);
  node_calls b(*cluster, 1);
  const auto record = moving(vm, 7, "n1", "n2");

  CHECK(a.view(vm).owner == std::nullopt);
  CHECK(a.view_behind_barrier(vm).record == std::nullopt);
  for (std::uint64_t round = 0; round < 5; ++round) {
    const auto next = moving(vm_id{200 + static_cast<std::uint32_t>(round)}, 1, "n1", "n2");
    REQUIRE(a.create(next.vm, 0, "name: a\n") == "ok");
    REQUIRE(a.write(next) == "ok");
    // Without a barrier of its own between the two: the question passes one.
    const auto seen = b.view_behind_barrier(next.vm);
    CHECK(seen.owner == a.name());
    CHECK(seen.record == next);
    CHECK(b.view(next.vm).record == next);
  }
  REQUIRE(a.write(record) == "ok");
  CHECK(a.view(vm).owner == std::nullopt);
  CHECK(a.view(vm).record == record);
}

void check_store_contract(const cluster_maker& make) {
  SECTION("a new VM is on one node, and its number is taken in the whole cluster") {
    check_places(make);
  }
  SECTION("a config keeps its bytes and belongs to the node that holds it") { check_configs(make); }
  SECTION("a record gives way to a higher epoch only") { check_records(make); }
  SECTION("a look shows owner and record, behind a barrier what was answered before it") {
    check_views(make);
  }
  SECTION("a lock has one holder until it is given back") { check_locks(make); }
  SECTION("a lock that is renewed stays, one that is not expires") { check_lock_expiry(make); }
  SECTION("behind a barrier a node sees what was answered before it") { check_order(make); }
  SECTION("a VM that moves is always found") { check_looks_while_moving(make); }
  SECTION("of several that create, move or lock the same thing at once, one wins") {
    check_races(make);
  }
}

} // namespace drover::contracts
