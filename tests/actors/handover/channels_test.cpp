// How many channels a stream gets: what was ordered, and what each node can do.
#include "tests/actors/handover/handover_rig.hpp"

using namespace drover;
using namespace drover::testing;

TEST_CASE("as many channels as both nodes can do, and fewer are told", "[handover]") {
  struct row {
    std::uint32_t ordered;
    std::optional<std::uint32_t> source_can;
    std::optional<std::uint32_t> offered;
    std::optional<std::uint32_t> asked_of_target;
    std::optional<std::uint32_t> asked_of_source;
    std::vector<std::string> narrow; ///< nodes that are told to do fewer
  };
  constexpr auto none = std::nullopt;
  for (const auto& r : std::vector<row>{
         {1, none, none, none, none, {}},
         {1, 16, none, none, none, {}},
         {4, 16, 4, 4, 4, {}},
         {4, none, none, none, none, {"n1"}},
         {4, 16, none, 4, none, {"n2"}},
         {4, 3, 2, 3, 2, {"n1", "n2"}},
       }) {
    INFO(r.ordered << " ordered, " << r.source_can.value_or(0) << " at the source");
    handover_rig rig{policy::ticket, r.ordered};
    auto begun = std::get<wire::begun>(*handover_rig::good_answer(step::begin));
    begun.channels_max = r.source_can;
    auto offer = std::get<wire::stream_offer>(*handover_rig::good_answer(step::receive));
    offer.channels = r.offered;
    rig.answers[step::begin] = {begun};
    rig.answers[step::receive] = {offer};
    rig.give(handover::begin{});
    rig.run_until(step::receive);
    CHECK(std::get<wire::receive>(rig.asked.front().body).channels == r.asked_of_target);
    rig.silent.clear();
    rig.run_until(step::stream);
    for (const auto& one : rig.asked)
      if (one.what == step::stream)
        CHECK(std::get<wire::stream>(one.body).channels == r.asked_of_source);
    rig.silent.clear();
    rig.run();
    REQUIRE(rig.ending);
    CHECK(rig.ending->end == verdict::moved);
    std::vector<std::string> narrow;
    for (const auto& one : rig.narrowed)
      narrow.push_back(one.node.value);
    CHECK(narrow == r.narrow);
  }
}
