#include "runtime/agent/file_mark_store.hpp"

#include "runtime/base/unique_fd.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
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

/// A mark file's text: numbers, each of which has its place whatever it is, and words.
struct mark_text {
  std::string whole;
  std::size_t words_begin = 0;
};

mark_text text_of(const run_marks& marks) {
  constexpr std::size_t number_width = 10;
  constexpr std::size_t size_step = 512;
  mark_text text{"{", 0};
  for (const auto& [key, mark, since] : fields) {
    const auto number = to_string(marks.*mark);
    text.whole += std::string{"\""} + key + "\":";
    text.whole += std::string(number_width - std::min(number.size(), number_width), ' ');
    text.whole += number + ",";
  }
  text.words_begin = text.whole.size();
  text.whole += "\"target\":" + quoted(marks.target.value) +
                ",\"target_boot_id\":" + quoted(marks.target_boot_id) + ",\"policy\":\"" +
                std::string{to_string(marks.how)} + "\"}";
  text.whole += std::string(size_step - 1 - text.whole.size() % size_step, ' ') + "\n";
  return text;
}

/// Only where nothing but numbers changes, in their places: an observer who reads meanwhile finds a
/// whole text. It lies in one page, where no signal cuts a write in two. False where that cannot be
/// had.
bool write_over(const std::string& path, const mark_text& text) {
  constexpr std::size_t page = 4096;
  const unique_fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file || text.whole.size() > page)
    return false;
  std::string before(page + 1, '\0');
  const auto size = ::pread(file.get(), before.data(), before.size(), 0);
  before.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (
    before.size() != text.whole.size() ||
    before.compare(text.words_begin, page, text.whole, text.words_begin, page) != 0)
    return false;
  return ::pwrite(file.get(), text.whole.data(), text.words_begin, 0) ==
         static_cast<ssize_t>(text.words_begin);
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
  const auto text = text_of(marks);
  if (write_over(path, text))
    return done{};
  const auto aside = path + ".new";
  const int file = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0)
    return system_failure("a mark cannot be written", aside);
  const auto written = ::write(file, text.whole.data(), text.whole.size());
  const int closed = ::close(file);
  if (written != static_cast<ssize_t>(text.whole.size()) || closed != 0)
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
