#include "tests/bench/sides.hpp"

#include "tests/bench/bench_cluster.hpp"
#include "tests/bench/evacuation.hpp"
#include "tests/bench/libvirt_side.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unistd.h>

namespace drover::bench {

using namespace std::chrono_literals;

namespace {

constexpr const char* sshd_program = "/usr/sbin/sshd";

round_figures play_bare(const bench_point& at) {
  bench_cluster cluster{{{at.vms, 0}}};
  const qemu_use qemus{cluster.mark()};
  testing::running_program running{
    {DROVER_BARE_DRIVER, cluster.run_dir("n1"), cluster.run_dir("n2"),
     std::to_string(streams_at_once(at)), std::to_string(prepared_at_once(at))}};
  resource_use used{running.pid(), {}, 0};
  running.wait_until([](const auto&) { return false; }, 600s);
  round_figures figures;
  figures.used = used.end();
  figures.qemu_s = qemus.end_s();
  const auto told = parsed(running.finish(10s), "the bare driver");
  figures.pauses_s = told.at("pauses_s").get<std::vector<double>>();
  figures.makespan_s = told.at("makespan_s");
  return figures;
}

round_figures play_drover(const bench_point& at, bench_link link) {
  bench_cluster cluster{{{at.vms, 0}}, link};
  std::vector<std::string> limits;
  if (at.streams != "default")
    limits = {
      "--max-streams", std::to_string(streams_at_once(at)), "--max-prepare",
      std::to_string(prepared_at_once(at))};
  auto figures = evacuate(cluster, limits);
  if (figures.pauses_s.size() != static_cast<std::size_t>(at.vms))
    throw std::runtime_error("a VM has moved without a pause that is known");
  return figures;
}

} // namespace

std::vector<std::string> side_names() { return {"bare", "drover", "drover-ssh", "libvirt"}; }

std::optional<std::string> absence_of(const std::string& side) {
  if (side == "drover-ssh" && ::access(sshd_program, X_OK) != 0)
    return "there is no /usr/sbin/sshd; install openssh-server";
  return side == "libvirt" ? absence_of_libvirt() : std::nullopt;
}

round_figures play(const std::string& side, const bench_point& at) {
  if (side == "bare")
    return play_bare(at);
  if (side == "libvirt")
    return play_libvirt(at);
  return play_drover(at, side == "drover" ? bench_link::process : bench_link::ssh);
}

} // namespace drover::bench
