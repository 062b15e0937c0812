// drover_dashboards DIR: writes the dashboards there, one file each. What is committed in
// metrics/grafana is what this writes; tests/metrics compares.
#include "metrics/grafana/dashboard.hpp"

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: drover_dashboards DIR\n", stderr);
    return 1;
  }
  for (const auto& d : drover::dashboards()) {
    const auto path = std::string{argv[1]} + "/" + d.uid + ".json";
    std::ofstream file{path};
    file << drover::to_grafana(d).dump(2) << "\n";
    file.close();
    if (!file) {
      std::fprintf(stderr, "drover_dashboards: %s: cannot be written\n", path.c_str());
      return 1;
    }
  }
  return 0;
}
