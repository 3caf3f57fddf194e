"""Who may connect, and whom they trust."""

from __future__ import annotations

import asyncio
import gc
import shutil
import subprocess

import pytest
import trustme

from brokers import Mosquitto
from despatch_connector_mqtt import MqttEgress, MqttEgressSettings
from despatch_connector_mqtt.publishing import RefusedError

# Its client closes no socket whose handshake has failed; Python does, when it is collected.
PAHO_LEAVES_THE_SOCKET = pytest.mark.filterwarnings(
    "ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


def look(url, **settings):
    """Connect as `despatch doctor` does."""
    given = {"url": url, "connect_timeout": "5s", **settings}
    return asyncio.run(MqttEgress(MqttEgressSettings.model_validate(given)).check())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        folder / "server.pem"
    )
    authority.issue_cert("client@line").private_key_and_cert_chain_pem.write_to_path(
        folder / "client.pem"
    )
    trustme.CA().cert_pem.write_to_path(folder / "stranger.pem")
    return folder


@pytest.fixture(scope="module")
def encrypted_url(certificates):
    server = certificates / "server.pem"
    options = (
        f"cafile {certificates / 'ca.pem'}",
        f"certfile {server}",
        f"keyfile {server}",
        "require_certificate true",
    )
    with Mosquitto(listener=options) as broker:
        yield broker.url.replace("mqtt:", "mqtts:")


def test_a_broker_is_spoken_to_by_tls_with_certificates_on_both_sides(certificates, encrypted_url):
    tls = {"ca": certificates / "ca.pem", "certificate": certificates / "client.pem"}
    assert look(encrypted_url, tls=tls).findings


@PAHO_LEAVES_THE_SOCKET
def test_a_broker_that_is_not_trusted_is_not_spoken_to(certificates, encrypted_url):
    tls = {"ca": certificates / "stranger.pem", "certificate": certificates / "client.pem"}
    with pytest.raises(ConnectionError, match="certificate verify failed"):
        look(encrypted_url, tls=tls)
    gc.collect()


def test_a_client_without_a_certificate_is_not_let_in(certificates, encrypted_url):
    with pytest.raises(ConnectionError, match=encrypted_url):
        look(encrypted_url, tls={"ca": certificates / "ca.pem"})


@PAHO_LEAVES_THE_SOCKET
def test_a_broker_that_speaks_no_tls_is_named(broker):
    url = broker.url.replace("mqtt:", "mqtts:")
    with pytest.raises(ConnectionError, match=url):
        look(url)
    gc.collect()


def test_a_file_that_is_not_there_is_named(broker, tmp_path):
    with pytest.raises(FileNotFoundError):
        look(broker.url.replace("mqtt:", "mqtts:"), tls={"ca": tmp_path / "ca.pem"})


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="comes with mosquitto")
def test_a_password_opens_and_a_wrong_one_does_not_and_neither_is_shown(tmp_path):
    file = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", file, "me", "sesame-17"], check=True)
    with Mosquitto(f"password_file {file}", "allow_anonymous false") as broker:
        assert look(broker.url, username="me", password="sesame-17").findings
        for wrong in ({"username": "me", "password": "sesame-18"}, {}):
            with pytest.raises(RefusedError, match="Not authorized") as refused:
                look(broker.url, **wrong)
            assert "sesame" not in str(refused.value)
