// A stream's relay as a program of its own, for drivers that run inside a test.
#include "runtime/hypervisor/stream_relay.hpp"

#include <unistd.h>

int main() { return drover::serve_stream_relay(STDIN_FILENO); }
