from __future__ import annotations

import asyncio

import pytest

from despatch_executor_ray.reaching import reach


def reached(address, answer=None):
    """Whether it is reached, where a server that says `answer` is at the port of `address`."""

    async def work():
        async def speak(reader, writer):
            await reader.read(1)
            writer.write(answer)
            writer.close()

        if answer is None:
            await reach(address)
            return
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await reach(address.format(port=port))

    asyncio.run(work())


def test_a_cluster_and_its_client_server_are_reached(cluster):
    reached(cluster.address)
    reached(cluster.client_address)


def test_nobody_is_there(unused_address):
    with pytest.raises(ConnectionError, match=f"no Ray at ray://{unused_address}: "):
        reached(f"ray://{unused_address}")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"", "it hangs up"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak gRPC")],
)
def test_somebody_else_is_there(answer, reason):
    with pytest.raises(ConnectionError, match=reason):
        reached("127.0.0.1:{port}", answer)


def test_auto_is_where_the_environment_says(monkeypatch, unused_address):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    reached("auto")
    monkeypatch.setenv("RAY_ADDRESS", unused_address)
    with pytest.raises(ConnectionError, match=unused_address):
        reached("auto")


def test_with_tls_it_is_enough_that_somebody_is_there(monkeypatch):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    reached("127.0.0.1:{port}", b"")
