"""Reaching a cluster: which of its servers answers, or why none does.

aiokafka tries them one after the other, logs why each failed, and raises "Unable to bootstrap"
without a reason. Here all are tried at once, and the reasons are raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from despatch_connector_kafka.explanations import KafkaFailure, explain
from despatch_connector_kafka.logs import calm_logs
from despatch_connector_kafka.security import client_security
from despatch_connector_kafka.settings import KafkaServerSettings

__all__ = ["RETRY_BACKOFF_MS", "client_options", "connected", "milliseconds", "reach"]

RETRY_BACKOFF_MS = 100
PARTING_S = 1.0
"""How long a server that refused may take to close the connection, in wall seconds."""

_REFUSED_LOGIN = (SaslAuthenticationFailed, UnsupportedSaslMechanismError, IllegalSaslStateError)


def milliseconds(duration: timedelta) -> int:
    """A duration as aiokafka takes it: at least 1."""
    return max(1, duration // timedelta(milliseconds=1))


def client_options(settings: KafkaServerSettings) -> dict[str, Any]:
    """What every client of aiokafka is made with, but for the servers.

    Raises:
        OSError: A file of the security settings cannot be read.
        ValueError: It does not hold what it should.
    """
    return {
        "client_id": settings.client_id,
        "request_timeout_ms": milliseconds(settings.request_timeout),
        **client_security(settings),
    }


async def reach(settings: KafkaServerSettings) -> str:
    """Find a server that answers and takes the login.

    Returns:
        The first one that did, as ``host:port``.

    Raises:
        PermissionError: A server refused the login, and no other took it.
        ConnectionError: None was reached. Both say of each server why.
        OSError: A file of the security settings cannot be read.
        ValueError: It does not hold what it should.
    """
    calm_logs()
    options = client_options(settings)
    attempts = {
        asyncio.create_task(_try(server, options)): server for server in settings.bootstrap_servers
    }
    try:
        waiting = set(attempts)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                if attempt.exception() is None:
                    return attempts[attempt]
    finally:
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
    errors = {server: attempt.exception() for attempt, server in attempts.items()}
    reasons = "; ".join(f"{server}: {explain(error)}" for server, error in errors.items() if error)
    first = next(iter(errors.values()))
    if any(isinstance(error, _REFUSED_LOGIN) for error in errors.values()):
        raise PermissionError(f"Kafka refused the login: {reasons}") from first
    raise ConnectionError(f"Kafka cannot be reached: {reasons}") from first


@asynccontextmanager
async def connected(settings: KafkaServerSettings, server: str) -> AsyncIterator[Any]:
    """A client that knows the cluster, for single requests.

    Args:
        settings: How to connect.
        server: One that answers, as `reach` found it.

    Raises:
        KafkaFailure: It no longer does, or no broker is ready.
    """
    client = AIOKafkaClient(
        bootstrap_servers=server, retry_backoff_ms=RETRY_BACKOFF_MS, **client_options(settings)
    )
    try:
        try:
            await client.bootstrap()
        except KafkaError as error:
            raise KafkaFailure(f"{server}: {explain(error)}") from error
        if not client.cluster.brokers():
            raise KafkaFailure(f"{server} names no broker that is ready: it may be starting")
        yield client
    finally:
        await client.close()


async def _try(server: str, options: dict[str, Any]) -> None:
    host, _, port = server.rpartition(":")
    connection = AIOKafkaConnection(host.strip("[]"), int(port), **options)
    try:
        await connection.connect()
    except KafkaError:
        # What refuses a login is connected, and takes a while to part: an encrypted connection
        # whose event loop has ended by then would never be closed.
        await asyncio.wait([connection.close()], timeout=PARTING_S)
        raise
    await connection.close()
