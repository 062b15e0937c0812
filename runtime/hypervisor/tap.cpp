#include "runtime/hypervisor/tap.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace drover {

result<unique_fd> open_tap(const std::string& bridge) {
  const auto failed = [&bridge](const char* what) {
    return fail(errc::refused, std::string(what) + ": " + std::strerror(errno), bridge);
  };
  unique_fd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!tap)
    return failed("cannot open /dev/net/tun");
  ifreq request{};
  std::strncpy(request.ifr_name, "drover%d", IFNAMSIZ - 1);
  // The header lets guest and host leave checksums and segmentation to each other; QEMU finds out
  // by itself that the descriptor has it.
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(tap.get(), TUNSETIFF, &request) != 0)
    return failed("cannot make a tap");
  const unique_fd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq port{};
  std::strncpy(port.ifr_name, bridge.c_str(), IFNAMSIZ - 1);
  port.ifr_ifindex = static_cast<int>(::if_nametoindex(request.ifr_name));
  if (!control || ::ioctl(control.get(), SIOCBRADDIF, &port) != 0)
    return failed("cannot make the tap a port of the bridge");
  request.ifr_flags = IFF_UP;
  if (::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0)
    return failed("cannot bring the tap up");
  return tap;
}

} // namespace drover
