#include "runtime/cluster/text_file.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace drover {
namespace {

tl::unexpected<error> cannot_read(const std::filesystem::path& path, const std::string& why) {
  return fail(errc::invalid, path.string() + ": " + why);
}

std::string reason(int number) { return std::generic_category().message(number); }

struct closer {
  void operator()(std::FILE* f) const { std::fclose(f); }
};

} // namespace

result<text_file> read_text_file(const std::filesystem::path& path) {
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (!std::filesystem::exists(status))
    return cannot_read(path, reason(ENOENT));
  // A pipe would make drover wait for a writer that may never come.
  if (!std::filesystem::is_regular_file(status))
    return cannot_read(path, "is not a regular file");
  const std::unique_ptr<std::FILE, closer> file(std::fopen(path.c_str(), "rbe"));
  if (!file)
    return cannot_read(path, reason(errno));
  text_file answer;
  std::array<char, 65536> block{};
  while (const auto got = std::fread(block.data(), 1, block.size(), file.get())) {
    answer.text.append(block.data(), got);
    if (answer.text.size() > text_file_bytes_max)
      return cannot_read(path, "is longer than " + std::to_string(text_file_bytes_max) + " bytes");
  }
  if (std::ferror(file.get()) != 0)
    return cannot_read(path, reason(errno));
  answer.directory = std::filesystem::absolute(path, failed).parent_path();
  if (failed)
    return cannot_read(path, failed.message());
  return answer;
}

} // namespace drover
