from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from despatch_connector_kafka.reaching import connected, milliseconds, reach
from despatch_connector_kafka.settings import KafkaServerSettings
from services import KafkaServer, free_port, running

USER, PASSWORD = "line_a", "hunter2"


def settings(servers: str | list[str], **given: Any) -> KafkaServerSettings:
    return KafkaServerSettings.model_validate(
        {"bootstrap_servers": servers, "request_timeout": "2s", **given}
    )


def reached(servers: str | list[str], **given: Any) -> str:
    async def run() -> str:
        try:
            return await reach(settings(servers, **given))
        finally:
            assert not asyncio.all_tasks() - {asyncio.current_task()}

    return asyncio.run(run())


@asynccontextmanager
async def mute_server() -> Any:
    """A server that takes connections and says nothing."""
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        done.set()
        server.close()
        await server.wait_closed()


def test_a_server_that_answers_is_found_among_others(kafka_bootstrap: str) -> None:
    async def run() -> str:
        async with mute_server() as mute:
            servers = [mute, f"127.0.0.1:{free_port()}", kafka_bootstrap, "no.such.invalid"]
            async with asyncio.timeout(1.9):  # less than the mute one takes to be given up
                return await reach(settings(servers))

    assert asyncio.run(run()) == kafka_bootstrap


def test_the_reason_of_each_server_is_told() -> None:
    async def run() -> str:
        async with mute_server() as mute:
            servers = [f"127.0.0.1:{free_port()}", "no.such.invalid:9092", mute]
            with pytest.raises(ConnectionError) as caught:
                await reach(settings(servers))
            return str(caught.value)

    reason = asyncio.run(run())
    assert reason.startswith("Kafka cannot be reached: 127.0.0.1:")
    assert "connection refused; no.such.invalid:9092: no such host; 127.0.0.1:" in reason
    assert reason.endswith("no answer in time")


def test_a_client_knows_the_cluster(kafka_bootstrap: str) -> None:
    async def run() -> int:
        async with connected(settings(kafka_bootstrap), kafka_bootstrap) as client:
            return len(client.cluster.brokers())

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize(("text", "expected"), [("1us", 1), ("1500us", 1), ("2s", 2000)])
def test_durations_are_whole_milliseconds(text: str, expected: int) -> None:
    assert milliseconds(settings("a", request_timeout=text).request_timeout) == expected


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def guarded(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaServer]:
    """A broker that wants a login over TLS."""
    keystore = tmp_path_factory.mktemp("keys") / "keystore.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(keystore))
    # Java reads keys in PKCS 8 alone.
    keystore.write_text(_pkcs8(keystore))
    server = KafkaServer(
        sasl=(USER, PASSWORD),
        settings={
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_SSL"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
        },
    )
    with running(server):
        yield server


def _pkcs8(pem: Path) -> str:
    from cryptography.hazmat.primitives import serialization

    content = pem.read_bytes()
    key = serialization.load_pem_private_key(content, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = content[content.index(b"-----BEGIN CERTIFICATE") :]
    return (key + chain).decode()


@pytest.fixture
def login(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": USER,
        "sasl_password": PASSWORD,
        "ssl_cafile": str(tmp_path / "ca.pem"),
    }


def test_a_login_over_tls_is_taken(guarded: KafkaServer, login: dict[str, Any]) -> None:
    assert reached(guarded.bootstrap_servers, **login) == guarded.bootstrap_servers


@pytest.mark.parametrize("wrong", [{"sasl_password": "hunter3"}, {"sasl_username": "somebody"}])
def test_a_wrong_login_is_told_and_not_shown(
    guarded: KafkaServer, login: dict[str, Any], wrong: dict[str, str]
) -> None:
    with pytest.raises(PermissionError) as caught:
        reached(guarded.bootstrap_servers, **{**login, **wrong})
    assert "Kafka refused the login" in str(caught.value)
    assert "sasl_password" in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_a_mechanism_that_the_broker_does_not_have_is_told(
    guarded: KafkaServer, login: dict[str, Any]
) -> None:
    with pytest.raises(PermissionError, match="refused the login"):
        reached(guarded.bootstrap_servers, **{**login, "sasl_mechanism": "SCRAM-SHA-256"})


def test_a_certificate_of_a_stranger_is_told(guarded: KafkaServer, login: dict[str, Any]) -> None:
    with pytest.raises(ConnectionError, match="the certificate is not trusted"):
        reached(guarded.bootstrap_servers, **{**login, "ssl_cafile": None})


def test_a_port_that_is_encrypted_is_told_to_who_is_not(guarded: KafkaServer) -> None:
    with pytest.raises(ConnectionError, match=r"security_protocol|no answer in time"):
        reached(guarded.bootstrap_servers)


def test_a_port_that_is_not_encrypted_is_told_to_who_is(
    kafka_bootstrap: str, login: dict[str, Any]
) -> None:
    with pytest.raises(ConnectionError, match=r"is this port encrypted|security_protocol|in time"):
        reached(kafka_bootstrap, **login)


def test_a_file_that_is_not_there_is_told_before_anything_is_sent() -> None:
    with pytest.raises(FileNotFoundError, match=r"ssl_cafile /no/such\.pem"):
        reached("no.such.invalid", security_protocol="SSL", ssl_cafile="/no/such.pem")
