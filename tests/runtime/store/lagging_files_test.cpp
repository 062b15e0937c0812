#include "runtime/store/lagging_files.hpp"

#include "runtime/store/store_log_text.hpp"
#include "tests/contracts/store_rig.hpp"

#include <fstream>

namespace drover {

using namespace std::chrono_literals;

namespace {

using contracts::temporary_directory;

const vm_id vm{100};
const node_id n1{"n1"};
const node_id n2{"n2"};

lagging_files files_of(
  const temporary_directory& directory, const node_id& node, const delay_range& lag = {}) {
  auto files = lagging_files::open({directory.path(), node, lag});
  REQUIRE(files);
  return std::move(*files);
}

std::filesystem::path log_of(const temporary_directory& directory) {
  return directory.path() / "log.ndjson";
}

void append_to(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::app | std::ios::binary) << text;
}

std::string text_in(const std::filesystem::path& file) {
  return file_calls::read_all(file).value_or("");
}

/// Whom the view shows as the owner.
std::string owner_in(lagging_files& files) {
  const auto owner = files.read_owner(vm);
  REQUIRE(owner);
  return *owner ? (*owner)->value : "nobody";
}

/// An entry that another node wrote at `at`.
std::string move_line(wall_time at, const node_id& to) {
  return entry_line({at.time_since_epoch(), node_id{"n3"}, config_placed{vm, to, nullptr}});
}

} // namespace

TEST_CASE("what another node wrote is seen a lag later, and behind a barrier at once") {
  const temporary_directory directory;
  auto first = files_of(directory, n1);
  auto other = files_of(directory, n2, exactly(1h));
  REQUIRE(first.create_config(vm, n1, "name: a\n"));
  CHECK(owner_in(other) == "nobody");
  REQUIRE(other.barrier());
  CHECK(owner_in(other) == "n1");
  REQUIRE(first.move_config(vm, n1, n2));
  CHECK(owner_in(first) == "n2");
  CHECK(owner_in(other) == "n1");
  // By its stale view it refuses what would be right.
  const auto refused = other.write_config(vm, n2, {"name: a\n", "name: b\n"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::conflict);
  CHECK(other.newest_files()->count("nodes/n2/qemu-server/100.conf") == 1);
}

TEST_CASE("a write is answered when what was ordered before it has been seen, a read at once") {
  const temporary_directory directory;
  auto first = files_of(directory, n1, exactly(1h));
  auto other = files_of(directory, n2, exactly(1h));
  REQUIRE(first.create_config(vm, n1, "name: a\n"));
  CHECK(first.answer_at() <= monotonic_now()); // nobody had written before
  REQUIRE(other.barrier());
  const auto due = other.answer_at();
  CHECK(due > monotonic_now() + 59min);
  CHECK(due <= monotonic_now() + 1h);
  // The next one has nothing more to wait for, and is not answered before the first.
  REQUIRE(other.barrier());
  CHECK(other.answer_at() == due);
  REQUIRE(other.read_owner(vm));
  CHECK(other.answer_at() <= monotonic_now());
}

TEST_CASE("an entry is seen when its lag has passed since it was written") {
  const temporary_directory directory;
  const log_entry born{
    (wall_now() - 3h).time_since_epoch(), n1,
    config_placed{vm, n1, std::make_shared<const std::string>("name: a\n")}};
  append_to(log_of(directory), entry_line(born));
  append_to(log_of(directory), move_line(wall_now() - 59min, n2));
  auto prompt = files_of(directory, node_id{"n4"}, exactly(58min));
  auto late = files_of(directory, node_id{"n5"}, exactly(1h));
  auto later = files_of(directory, node_id{"n6"}, exactly(4h));
  CHECK(owner_in(prompt) == "n2");
  CHECK(owner_in(late) == "n1");
  CHECK(owner_in(later) == "nobody");
}

TEST_CASE("a node that starts again has seen what it had written after") {
  const temporary_directory directory;
  auto other = files_of(directory, n2);
  {
    auto first = files_of(directory, n1, exactly(1h));
    REQUIRE(other.create_config(vm, n2, "name: a\n"));
    REQUIRE(first.barrier());
    CHECK(owner_in(first) == "n2");
  }
  REQUIRE(other.move_config(vm, n2, n1));
  auto again = files_of(directory, n1, exactly(1h));
  CHECK(owner_in(again) == "n2");
  // Another process of the same node writes, and this one has seen what that one saw.
  REQUIRE(files_of(directory, n1).barrier());
  CHECK(owner_in(again) == "n1");
}

TEST_CASE("a line that a writer left unfinished is nobody's, and the next writer takes it away") {
  const temporary_directory directory;
  auto files = files_of(directory, n1);
  REQUIRE(files.create_config(vm, n1, "name: a\n"));
  const auto whole = text_in(log_of(directory));
  const auto line = move_line(wall_now(), n2);
  append_to(log_of(directory), line.substr(0, line.size() / 2));
  CHECK(owner_in(files) == "n1");
  auto other = files_of(directory, n2);
  CHECK(owner_in(other) == "n1");
  REQUIRE(other.move_config(vm, n1, n2));
  CHECK(owner_in(files) == "n2");
  const auto text = text_in(log_of(directory));
  CHECK(text.starts_with(whole));
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);

  // The rest of a line may still come.
  const auto next = move_line(wall_now(), n1);
  append_to(log_of(directory), next.substr(0, 20));
  CHECK(owner_in(files) == "n2");
  append_to(log_of(directory), next.substr(20));
  CHECK(owner_in(files) == "n1");
}

TEST_CASE("a whole line that is no entry stops every call and names its place") {
  const temporary_directory directory;
  auto files = files_of(directory, n1);
  REQUIRE(files.create_config(vm, n1, "name: a\n"));
  append_to(log_of(directory), "{\"at\":1}\n");
  const auto read = files.read_owner(vm);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == errc::invalid);
  CHECK(read.error().context == log_of(directory).string() + ", line 2");
  CHECK(files.barrier().error() == read.error());
  CHECK(text_in(log_of(directory)).ends_with("{\"at\":1}\n"));
}

TEST_CASE("the newest state is told as the files of a cluster directory") {
  const temporary_directory directory;
  auto files = files_of(directory, n1, exactly(1h));
  REQUIRE(files.create_config(vm, n1, "name: a\n"));
  REQUIRE(files.create_config(vm_id{200}, n1, "name: b\n"));
  REQUIRE(files.remove_config(vm_id{200}, n1));
  REQUIRE(files.write_record(
    {vm, epoch{3}, record_state::settled, n1, n2, policy::ticket, "c",
     source_outcome::unpublished}));
  const auto all = files_of(directory, n2, exactly(1h)).newest_files();
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK(all->at("nodes/n1/qemu-server/100.conf") == "name: a\n");
  CHECK_THAT(all->at("drover/vm/100.json"), Catch::Contains("\"epoch\": 3"));
}

TEST_CASE("a directory that cannot be used is told, and may come later") {
  const temporary_directory directory;
  const auto deep = directory.path() / "a" / "b";
  CHECK(lagging_files::open({deep, n1, {}}).error().code == errc::invalid);
  CHECK(lagging_files::open({directory.path(), node_id{"../x"}, {}}).error().code == errc::invalid);
  std::filesystem::create_directory(deep.parent_path());
  CHECK(lagging_files::open({deep, n1, {}}));
}

} // namespace drover
