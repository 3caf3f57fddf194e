"""What the modules that hurt a broker share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services import KafkaServer, ServiceError, running


@pytest.fixture(scope="module")
def module_server() -> Iterator[KafkaServer]:
    with running(KafkaServer()) as server:
        yield server


@pytest.fixture
def server(module_server: KafkaServer) -> Iterator[KafkaServer]:
    """A broker that is there again after each test, whether it was frozen or killed."""
    yield module_server
    try:
        module_server.resume()
    except ServiceError:  # it is not running
        module_server.start()
