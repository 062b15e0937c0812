#include "runtime/link/ssh/agent_client.hpp"

#include "runtime/link/ssh/agent_wire.hpp"
#include "runtime/link/ssh/ssh_bytes.hpp"

#include <asio/buffer.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <sys/un.h>
#include <utility>

namespace drover::ssh {

agent_client::agent_client(asio::io_context& context, std::string path, milliseconds within)
  : path_(std::move(path)), within_(within), socket_(context), timer_(context) {}

void agent_client::ask(std::string request, answered then) {
  request_ = std::move(request);
  then_ = std::move(then);
  timer_.expires_after(within_);
  timer_.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
    if (!cancelled)
      self->end(fail(errc::timeout, "the ssh-agent does not answer", self->path_));
  });
  if (connected_)
    return write();
  if (path_.size() >= sizeof(sockaddr_un::sun_path))
    return asio::post(socket_.get_executor(), [self = shared_from_this()] {
      self->broken("its socket's path is too long");
    });
  socket_.async_connect(
    asio::local::stream_protocol::endpoint(path_),
    [self = shared_from_this()](const asio::error_code& failed) {
      if (failed)
        return self->broken(failed.message());
      self->connected_ = true;
      self->write();
    });
}

void agent_client::write() {
  asio::async_write(
    socket_, asio::buffer(request_),
    [self = shared_from_this()](const asio::error_code& failed, std::size_t) {
      if (failed)
        return self->broken(failed.message());
      self->read_size();
    });
}

void agent_client::read_size() {
  asio::async_read(
    socket_, asio::buffer(size_),
    [self = shared_from_this()](const asio::error_code& failed, std::size_t) {
      if (failed)
        return self->broken(failed.message());
      const auto size = byte_reader{{self->size_.data(), self->size_.size()}}.number();
      if (size == 0 || size > agent_answer_bytes_max)
        return self->broken("its answer is none");
      self->read_answer(size);
    });
}

void agent_client::read_answer(std::size_t size) {
  answer_.resize(size);
  asio::async_read(
    socket_, asio::buffer(answer_),
    [self = shared_from_this()](const asio::error_code& failed, std::size_t) {
      if (failed)
        return self->broken(failed.message());
      self->end(std::move(self->answer_));
    });
}

void agent_client::broken(const std::string& why) {
  end(fail(errc::lost, "cannot ask the ssh-agent: " + why, path_));
}

void agent_client::end(result<std::string> answer) {
  if (!answer)
    connected_ = false;
  timer_.cancel();
  if (!answer) {
    asio::error_code ignored;
    socket_.close(ignored);
  }
  if (const auto then = std::exchange(then_, nullptr))
    then(std::move(answer));
}

void agent_client::close() {
  then_ = nullptr;
  timer_.cancel();
  asio::error_code ignored;
  socket_.close(ignored);
}

} // namespace drover::ssh
