"""A taken port is named with its owner."""

from __future__ import annotations

import os
import socket

import pytest

from smartcity.errors import ServiceError
from smartcity.services import ports


def test_a_taken_port_names_its_owner_and_the_setting() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        with pytest.raises(ServiceError) as error:
            ports.require_free(port, "kafka.port + 1")
    assert f"process {os.getpid()}" in error.value.reason
    assert f"SMARTCITY_KAFKA__PORT={port + 100}" in error.value.hint
    assert ports.is_free(port)


def test_connections_of_a_dead_server_do_not_count_as_an_owner() -> None:
    server = socket.create_server((ports.LOOPBACK, 0))
    port = server.getsockname()[1]
    client = socket.create_connection((ports.LOOPBACK, port))
    accepted, _ = server.accept()
    server.close()
    accepted.close()
    client.close()
    assert ports.is_free(port)


def test_accepting_is_seen() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert ports.accepts(port, 0.5)
    assert not ports.accepts(port, 0.5)
