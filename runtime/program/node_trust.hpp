// `drover node trust NODE`: shows the key that a host presents and notes it in known_hosts. Rule:
// nothing is noted that a person did not confirm, at the terminal or by `--yes`.
#pragma once

#include "runtime/base/error.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/program/options.hpp"

namespace drover {

result<done> trust_node(
  const cluster_file& cluster, const node_trust_options& asked, output_format out);

} // namespace drover
