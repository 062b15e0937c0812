#include "runtime/hypervisor/start_gate.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace drover {

namespace {

struct crowd {
  start_gate gate{2};
  std::map<int, start_gate::permit> inside;
  std::vector<int> admitted;

  void enter(int who) {
    gate.enter([this, who](start_gate::permit permit) {
      admitted.push_back(who);
      inside[who] = std::move(permit);
    });
  }
};

} // namespace

TEST_CASE("so many start at a time, the others in the order of their asking") {
  crowd all;
  for (int who = 1; who <= 5; ++who)
    all.enter(who);
  CHECK(all.admitted == std::vector{1, 2});
  all.inside.erase(2);
  CHECK(all.admitted == std::vector{1, 2, 3});
  all.inside.at(1).give_back();
  all.inside.at(1).give_back(); // Once is enough.
  CHECK(all.admitted == std::vector{1, 2, 3, 4});
  // Who comes in does so while the others leave: they leave from a map of their own.
  std::exchange(all.inside, {}).clear();
  CHECK(all.admitted == std::vector{1, 2, 3, 4, 5});
}

TEST_CASE("a permit that nobody wants lets the next one in at once") {
  start_gate gate{1};
  std::vector<int> admitted;
  std::optional<start_gate::permit> held;
  gate.enter([&held](start_gate::permit permit) { held.emplace(std::move(permit)); });
  constexpr int crowd_size = 100'000; // None of them on the stack of another.
  for (int who = 0; who < crowd_size; ++who)
    gate.enter([&admitted, who](const start_gate::permit&) { admitted.push_back(who); });
  CHECK(admitted.empty());
  held.reset();
  REQUIRE(admitted.size() == crowd_size);
  CHECK(std::is_sorted(admitted.begin(), admitted.end()));
}

TEST_CASE("a permit outlives the gate, and lets in who waited") {
  std::vector<int> admitted;
  start_gate::permit left;
  {
    start_gate gate{1};
    gate.enter([&left](start_gate::permit permit) { left = std::move(permit); });
    gate.enter([&admitted](const start_gate::permit&) { admitted.push_back(2); });
    gate.enter([&admitted](const start_gate::permit&) { admitted.push_back(3); });
    CHECK(admitted.empty());
  }
  left.give_back();
  CHECK(admitted == std::vector{2, 3});
}

} // namespace drover
