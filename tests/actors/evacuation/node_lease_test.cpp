#include "actors/evacuation/node_lease.hpp"

#include <catch2/catch.hpp>

using namespace drover;
using namespace std::chrono_literals;

namespace {

mono_time at(milliseconds t) { return mono_time{} + t; }

} // namespace

TEST_CASE("a lock that is renewed in time stays held") {
  node_lease lease{at(0s)};
  for (auto t = 0s; t < 600s; t += 30s) {
    CHECK(lease.at(at(t)) == lease_state::held);
    lease.renewed(at(t));
    CHECK(lease.next_look(at(t)) == node_lease::renew_every);
  }
}

TEST_CASE("a lock that nobody confirms is in doubt first, and lost before it can expire") {
  node_lease lease{at(100s)};
  CHECK(lease.at(at(144s)) == lease_state::held);
  CHECK(lease.at(at(145s)) == lease_state::doubtful);
  CHECK(lease.at(at(209s)) == lease_state::doubtful);
  CHECK(lease.at(at(210s)) == lease_state::lost);
  CHECK(node_lease::proven_for < 120s); // What the store gives.
  CHECK(lease.next_look(at(150s)) == node_lease::ask_again_after);
  CHECK(lease.reason().find("not confirmed") != std::string::npos);
}

TEST_CASE("a lock is proven from when it was asked for, not from when the answer came") {
  node_lease lease{at(0s)};
  lease.renewed(at(30s)); // Answered at 60 s.
  CHECK(lease.at(at(76s)) == lease_state::doubtful);
  lease.renewed(at(10s)); // An older answer, late.
  CHECK(lease.at(at(74s)) == lease_state::held);
  lease.renewed(at(70s));
  CHECK(lease.at(at(100s)) == lease_state::held);
}

TEST_CASE("a lock that somebody else has is lost for good, and says who has it") {
  node_lease lease{at(0s)};
  lease.taken_by("root@other:7 evacuation");
  CHECK(lease.at(at(1s)) == lease_state::lost);
  lease.renewed(at(2s));
  CHECK(lease.at(at(3s)) == lease_state::lost);
  CHECK(lease.reason() == "somebody else has it: root@other:7 evacuation");
}
