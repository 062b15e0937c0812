// The parts of a scenario, read one by one: the middle of scenario_file.cpp, which see. Rule: each
// notes its errors in the reader it is given; what the parts say about each other is checked here
// too, because only then can an error name its place.
#pragma once

#include "runtime/scenario/scenario_file.hpp"
#include "runtime/wire/json_reader.hpp"

namespace drover {

void read_scenario_cluster(wire::object_reader& root, scenario_file& scenario);
/// After the cluster.
void read_scenario_vms(wire::object_reader& root, scenario_file& scenario);
/// After the VMs.
void read_scenario_actions(wire::object_reader& root, scenario_file& scenario);
void read_scenario_expect(wire::object_reader& root, scenario_file& scenario);

/// A node of the scenario; an error at `key` otherwise.
node_id read_known_node(
  wire::object_reader& from, const std::string& key, const scenario_file& scenario);
/// A VM of the scenario; an error at `key` otherwise.
vm_id read_known_vm(
  wire::object_reader& from, const std::string& key, const scenario_file& scenario);
/// The same for what stands elsewhere than in a field of its own.
bool has_vm(const scenario_file& scenario, vm_id vm);
std::string unknown_node(const scenario_file& scenario, const node_id& node);
std::string unknown_vm(vm_id vm);

} // namespace drover
