// The parts of a scenario, read one by one: the middle of scenario_file.cpp, which see. Rule: each
// notes its errors in the reader it is given; what the parts say about each other is checked here
// too, because only then can an error name its place.
#pragma once

#include "runtime/scenario/scenario_file.hpp"
#include "runtime/wire/json_reader.hpp"

#include <optional>
#include <string>

namespace drover {

/// First, because it may say that nodes and VMs are drawn.
void read_scenario_random(wire::object_reader& root, scenario_file& scenario);
void read_scenario_cluster(wire::object_reader& root, scenario_file& scenario);
/// After the cluster.
void read_scenario_vms(wire::object_reader& root, scenario_file& scenario);
/// After the VMs.
void read_scenario_actions(wire::object_reader& root, scenario_file& scenario);
/// After the actions.
void read_scenario_compare(wire::object_reader& root, scenario_file& scenario);
void read_scenario_expect(wire::object_reader& root, scenario_file& scenario);
/// After everything else.
void read_scenario_worlds(wire::object_reader& root, scenario_file& scenario);

/// Milliseconds that may be negative, a year at most; 0 where the field is missing.
milliseconds read_signed_ms(wire::object_reader& from, const std::string& key);

/// Only the simulated world knows this field.
void mark_sim_only(
  scenario_file& scenario, const wire::object_reader& from, const std::string& key);

/// A node that is written, or one that is always drawn.
bool has_node(const scenario_file& scenario, const node_id& node);
bool has_vm(const scenario_file& scenario, vm_id vm);
std::string unknown_node(const scenario_file& scenario, const node_id& node);
std::string unknown_vm(vm_id vm);

/// A node of the scenario; an error at `key` otherwise.
node_id read_known_node(
  wire::object_reader& from, const std::string& key, const scenario_file& scenario);
/// A VM of the scenario; an error at `key` otherwise.
vm_id read_known_vm(
  wire::object_reader& from, const std::string& key, const scenario_file& scenario);
/// "105" as a field's name.
std::optional<vm_id> vm_of_word(const std::string& word);
/// A policy's word; `nullopt` and an error at `key` otherwise.
std::optional<policy> policy_of_word(
  wire::object_reader& from, const std::string& key, const std::string& word);

} // namespace drover
