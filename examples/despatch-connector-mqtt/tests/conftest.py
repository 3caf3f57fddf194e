from __future__ import annotations

import uuid

import pytest

from brokers import Mosquitto, shared_broker
from listeners import Stranger


@pytest.fixture(scope="session")
def broker_url():
    """A broker that tests share: each uses topics of its own."""
    with shared_broker() as url:
        yield url


@pytest.fixture
def broker():
    """A broker of the test's own, to stop, freeze and kill; it keeps what it has when stopped."""
    with Mosquitto("persistence true") as started:
        yield started


@pytest.fixture
def root():
    """The first level of a topic that nobody else uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def stranger(broker_url):
    with Stranger(broker_url) as connected:
        yield connected
