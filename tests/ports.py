"""Ports for services of tests: outside the range from which the kernel takes the ports of outgoing connections.

A port that was free a moment ago in that range may be an outgoing connection's the next.
"""

from __future__ import annotations

import random
import socket

FIRST, LAST = 20_000, 32_000
_random = random.SystemRandom()


def free_port(width: int = 1) -> int:
    """The first of `width` ports in a row that nobody listens on."""
    while True:
        port = _random.randrange(FIRST, LAST)
        if all(_is_free(port + offset) for offset in range(width)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
