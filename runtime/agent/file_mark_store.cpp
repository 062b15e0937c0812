#include "runtime/agent/file_mark_store.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>

namespace drover {
namespace {

constexpr const char* extension = ".epoch";

std::optional<vm_id> vm_of(const std::filesystem::path& file) {
  if (file.extension() != extension)
    return std::nullopt;
  const auto stem = file.stem().string();
  std::uint32_t number = 0;
  const auto [end, failed] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  if (failed != std::errc{} || end != stem.data() + stem.size())
    return std::nullopt;
  return vm_id{number};
}

struct field {
  const char* key;
  epoch run_marks::*mark;
  /// A file without it is whole: a mark that an older agent did not know was never set.
  enum { needed, added } since;
};

constexpr std::array fields{
  field{"run", &run_marks::run, field::needed},
  field{"voided", &run_marks::voided, field::needed},
  field{"seen", &run_marks::seen, field::needed},
  field{"barrier", &run_marks::barrier, field::needed},
  field{"paused", &run_marks::paused, field::needed},
  field{"owned", &run_marks::owned, field::added},
  field{"streamed", &run_marks::streamed, field::added},
  field{"settled", &run_marks::settled, field::added},
  field{"begun", &run_marks::begun, field::added},
  field{"undone", &run_marks::undone, field::added},
  field{"kept", &run_marks::kept, field::added}};

result<run_marks> parse(const std::filesystem::path& file) {
  std::ifstream in{file};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  const auto json = nlohmann::json::parse(text, nullptr, false);
  run_marks marks;
  for (const auto& [key, mark, since] : fields) {
    if (since == field::added && json.is_object() && !json.contains(key))
      continue;
    if (!json.is_object() || !json.contains(key) || !json[key].is_number_unsigned())
      return fail(
        errc::invalid, std::string{"a mark file needs the number \""} + key + "\"", file.string());
    marks.*mark = epoch{json[key].get<std::uint64_t>()};
  }
  const auto word = [&](const char* key) { return json.value(key, nlohmann::json("")); };
  for (const auto* key : {"target", "target_boot_id", "policy"})
    if (!word(key).is_string())
      return fail(
        errc::invalid, std::string{"a mark file needs a string as \""} + key + "\"", file.string());
  marks.target = node_id{word("target").get<std::string>()};
  marks.target_boot_id = word("target_boot_id").get<std::string>();
  marks.how = policy_from_string(word("policy").get<std::string>()).value_or(policy::ticket);
  return marks;
}

/// Text from another host may be anything; an id that is no UTF-8 matches nobody's.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

result<done> system_failure(const char* what, const std::string& path) {
  return fail(errc::retry, std::string{what} + ": " + std::strerror(errno), path);
}

} // namespace

file_mark_store::file_mark_store(std::filesystem::path run_dir) : run_dir_(std::move(run_dir)) {}

result<std::map<vm_id, run_marks>> file_mark_store::load() {
  std::map<vm_id, run_marks> all;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator{run_dir_, failed}) {
    const auto vm = vm_of(entry.path());
    if (!vm)
      continue;
    auto marks = parse(entry.path());
    if (!marks)
      return tl::unexpected{marks.error()};
    all.emplace(*vm, *marks);
  }
  if (failed)
    return fail(
      errc::retry, "the run directory cannot be read: " + failed.message(), run_dir_.string());
  return all;
}

result<done> file_mark_store::save(vm_id vm, const run_marks& marks) {
  const auto path = (run_dir_ / (to_string(vm) + extension)).string();
  const auto aside = path + ".new";
  std::string text = "{";
  for (const auto& [key, mark, since] : fields)
    text += std::string{"\""} + key + "\":" + to_string(marks.*mark) + ",";
  text += "\"target\":" + quoted(marks.target.value) +
          ",\"target_boot_id\":" + quoted(marks.target_boot_id) + ",\"policy\":\"" +
          std::string{to_string(marks.how)} + "\"}\n";
  const int file = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0)
    return system_failure("a mark cannot be written", aside);
  const auto written = ::write(file, text.data(), text.size());
  const int closed = ::close(file);
  if (written != static_cast<ssize_t>(text.size()) || closed != 0)
    return system_failure("a mark cannot be written", aside);
  if (::rename(aside.c_str(), path.c_str()) != 0)
    return system_failure("a mark cannot be replaced", path);
  return done{};
}

result<done> file_mark_store::forget(vm_id vm) {
  const auto path = (run_dir_ / (to_string(vm) + extension)).string();
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return system_failure("a mark cannot be removed", path);
  return done{};
}

} // namespace drover
