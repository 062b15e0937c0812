// Ends what the bench has started when somebody ends the bench. Rule: a directory that is noted
// here stands in the command line of everything that was started in it.
#pragma once

#include <filesystem>

namespace drover::bench {

/// From now on SIGINT and SIGTERM end all that is noted, then this process.
void end_all_when_interrupted();

/// Noted as long as it lives.
class noted_directory {
public:
  explicit noted_directory(std::filesystem::path path);
  ~noted_directory();
  noted_directory(const noted_directory&) = delete;
  noted_directory& operator=(const noted_directory&) = delete;

private:
  std::filesystem::path path_;
};

} // namespace drover::bench
