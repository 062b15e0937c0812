#include "tests/contracts/link_contract.hpp"

#include <catch2/catch.hpp>
#include <random>

namespace drover::contracts {

// -- the listener --------------------------------------------------------------------------------

link_events link_listener::events() const {
  const auto note = [](const std::shared_ptr<record>& seen, auto change) {
    const std::lock_guard guard(seen->mutex);
    change(*seen);
    seen->changed.notify_all();
  };
  return {
    [seen = seen_, note] {
      note(seen, [](record& r) {
        r.late |= r.opened != r.closed.size();
        ++r.opened;
      });
    },
    [seen = seen_, note](std::string line) {
      note(seen, [&line](record& r) {
        r.late |= r.opened == r.closed.size();
        r.lines.push_back(std::move(line));
      });
    },
    [seen = seen_, note](error why) {
      note(seen, [&why](record& r) { r.closed.push_back(std::move(why)); });
    }};
}

bool link_listener::wait(const std::function<bool(const record&)>& arrived) const {
  std::unique_lock guard(seen_->mutex);
  while (step_ && !arrived(*seen_)) {
    guard.unlock();
    const bool moved = step_();
    guard.lock();
    if (!moved)
      return arrived(*seen_);
  }
  return seen_->changed.wait_for(
    guard, longest_link_wait, [this, &arrived] { return arrived(*seen_); });
}

bool link_listener::wait_opened(std::size_t times) const {
  return wait([times](const record& r) { return r.opened >= times; });
}
bool link_listener::wait_lines(std::size_t count) const {
  return wait([count](const record& r) { return r.lines.size() >= count; });
}
bool link_listener::wait_closed(std::size_t times) const {
  return wait([times](const record& r) { return r.closed.size() >= times; });
}
std::vector<std::string> link_listener::lines() const {
  const std::lock_guard guard(seen_->mutex);
  return seen_->lines;
}
std::size_t link_listener::closed_count() const {
  const std::lock_guard guard(seen_->mutex);
  return seen_->closed.size();
}
error link_listener::last_reason() const {
  const std::lock_guard guard(seen_->mutex);
  return seen_->closed.empty() ? error{} : seen_->closed.back();
}
bool link_listener::told_while_closed() const {
  const std::lock_guard guard(seen_->mutex);
  return seen_->late;
}

// -- the contract --------------------------------------------------------------------------------

namespace {

/// An open link and its listener.
struct open_link {
  explicit open_link(const link_maker& make) : heard(make.step), way(make()) {
    way->open(heard.events());
    REQUIRE(heard.wait_opened());
  }
  ~open_link() {
    way->close();
    CHECK(heard.wait_closed());
    CHECK_FALSE(heard.told_while_closed());
  }
  link_listener heard;
  link_ptr way;
};

void check_order(const link_maker& make) {
  open_link link(make);
  std::mt19937 luck(7);
  std::uniform_int_distribution<std::size_t> length(0, 2000);
  std::vector<std::string> sent;
  for (int n = 0; n < 3000; ++n) {
    sent.push_back(std::to_string(n) + std::string(length(luck), static_cast<char>('a' + n % 26)));
    link.way->send(sent.back());
  }
  REQUIRE(link.heard.wait_lines(sent.size()));
  // Compared as a whole: a difference of thousands of lines is of no use in a report.
  CHECK((link.heard.lines() == sent));
}

void check_text(const link_maker& make) {
  open_link link(make);
  const std::vector<std::string> sent{"",         " ",   "\t\"\\", "\xc3\xa4\xe2\x82\xac",
                                      "\xff\x01", "\r x"};
  for (const auto& line : sent)
    link.way->send(line);
  REQUIRE(link.heard.wait_lines(sent.size()));
  CHECK(link.heard.lines() == sent);
  link.way->send("!crlf line");
  REQUIRE(link.heard.wait_lines(sent.size() + 1));
  CHECK(link.heard.lines().back() == "line");
}

void check_longest_line(const link_maker& make) {
  open_link link(make);
  link.way->send(std::string(line_bytes_max, 'y'));
  link.way->send("!long " + std::to_string(line_bytes_max));
  REQUIRE(link.heard.wait_lines(2));
  CHECK((link.heard.lines()[0] == std::string(line_bytes_max, 'y')));
  CHECK((link.heard.lines()[1] == std::string(line_bytes_max, 'x')));
}

void check_close(const link_maker& make) {
  open_link link(make);
  link.way->send("last words");
  link.way->close();
  link.way->close();
  REQUIRE(link.heard.wait_closed());
  link.way->send("to nobody");
  link.way->close();
  // What was sent before `close` has been carried, and its echo came before `closed`.
  CHECK(link.heard.lines() == std::vector<std::string>{"last words"});
  // A second life after that shows that nothing of the first is still to come.
  link.way->open(link.heard.events());
  REQUIRE(link.heard.wait_opened(2));
  link.way->send("again");
  REQUIRE(link.heard.wait_lines(2));
  CHECK(link.heard.lines()[1] == "again");
  CHECK(link.heard.closed_count() == 1);
  link.way->close();
  CHECK(link.heard.wait_closed(2));
}

void check_peer_gone(const link_maker& make) {
  open_link link(make);
  link.way->send("!flood 500");
  link.way->send("!die");
  for (int n = 0; n < 100; ++n)
    link.way->send("nobody reads this");
  REQUIRE(link.heard.wait_closed());
  CHECK(link.heard.last_reason().code == errc::lost);
  CHECK(link.heard.lines().size() == 500);
}

/// A peer that breaks the rules of lines costs the link, and never a wrong line.
void check_broken_line(const link_maker& make, const char* order) {
  open_link link(make);
  link.way->send("before");
  link.way->send(order);
  REQUIRE(link.heard.wait_closed());
  CHECK(link.heard.lines() == std::vector<std::string>{"before"});
  CHECK_FALSE(link.heard.last_reason().what.empty());
}

void check_stalled_peer(const link_maker& make) {
  open_link link(make);
  link.way->send("!stall");
  // 100 MiB cannot stay queued; `send` goes on returning at once and the link gives up.
  const std::string line(1000000, 'z');
  for (int n = 0; n < 100; ++n)
    link.way->send(line);
  REQUIRE(link.heard.wait_closed());
  CHECK(link.heard.last_reason().code == errc::lost);
}

void check_many(const link_maker& make) {
  std::vector<std::unique_ptr<open_link>> links;
  for (int n = 0; n < 8; ++n)
    links.push_back(std::make_unique<open_link>(make));
  for (int round = 0; round < 200; ++round)
    for (std::size_t n = 0; n < links.size(); ++n)
      links[n]->way->send("of " + std::to_string(n));
  for (std::size_t n = 0; n < links.size(); ++n) {
    REQUIRE(links[n]->heard.wait_lines(200));
    CHECK((links[n]->heard.lines() == std::vector<std::string>(200, "of " + std::to_string(n))));
  }
}

void check_dropped(const link_maker& make) {
  link_listener heard{make.step};
  auto way = make();
  way->open(heard.events());
  REQUIRE(heard.wait_opened());
  way->send("!flood 10");
  way.reset();
  // The driver lives on for others.
  open_link other(make);
  other.way->send("x");
  CHECK(other.heard.wait_lines(1));
}

} // namespace

void check_link_contract(const link_maker& make) {
  SECTION("lines arrive whole, in order and once") { check_order(make); }
  SECTION("any text without a newline is carried") { check_text(make); }
  SECTION("a line of the greatest length is carried") { check_longest_line(make); }
  SECTION("close is answered by closed, once, and the link opens again") { check_close(make); }
  SECTION("a peer that dies closes the link after its last line") { check_peer_gone(make); }
  SECTION("a line that is too long closes the link") { check_broken_line(make, "!long 1048577"); }
  SECTION("a NUL byte closes the link") { check_broken_line(make, "!nul"); }
  SECTION("half a line is never delivered") { check_broken_line(make, "!half of it"); }
  SECTION("a peer that does not read closes the link") { check_stalled_peer(make); }
  SECTION("many links do not mix") { check_many(make); }
  SECTION("a link may be dropped while it is open") { check_dropped(make); }
}

} // namespace drover::contracts
