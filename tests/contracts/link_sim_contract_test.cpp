// The contract, run against sim_link: its peer obeys the same orders as link_echo_agent.
#include "runtime/link/sim_link.hpp"
#include "tests/contracts/link_contract.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace drover::contracts {
namespace {

const node_id there{"n1"};

class echo_peer final : public sim_peer {
public:
  echo_peer(sim_wires& wires, sim_peer_output output) : wires_(wires), out_(std::move(output)) {}

  void take_line(std::string line) override {
    if (!line.starts_with('!'))
      return out_.write(std::move(line));
    const auto space = line.find(' ');
    obey(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 1));
  }
  void input_ended() override { out_.close(); }

private:
  void obey(const std::string& word, const std::string& rest) {
    if (word == "!die" || word == "!half")
      out_.close();
    else if (word == "!flood")
      for (int n = 0, most = std::stoi(rest); n < most; ++n)
        out_.write("flood " + std::to_string(n));
    else if (word == "!long")
      out_.write(std::string(std::stoul(rest), 'x'));
    else if (word == "!nul")
      out_.write(std::string("a\0b", 3));
    else if (word == "!crlf")
      out_.write(rest + "\r");
    else if (word == "!stall")
      wires_.silence(there);
  }

  sim_wires& wires_;
  sim_peer_output out_;
};

} // namespace

TEST_CASE("a simulated link keeps the link's contract") {
  event_queue queue;
  sim_wires wires{queue, luck{5}};
  check_link_contract(
    {[&wires] {
       return wires.link_to(there, [&wires](sim_peer_output output) {
         return std::make_shared<echo_peer>(wires, std::move(output));
       });
     },
     [&queue] { return queue.step(); }});
}

} // namespace drover::contracts
