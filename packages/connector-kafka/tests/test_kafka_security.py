from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from despatch_connector_kafka.security import KafkaSecuritySettings, client_security

PASSWORD = "hunter2"
LOGIN = {"sasl_mechanism": "PLAIN", "sasl_username": "line_a", "sasl_password": PASSWORD}


def settings(**given: Any) -> KafkaSecuritySettings:
    return KafkaSecuritySettings.model_validate(given)


def mistake_in(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(**given)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def test_without_settings_nothing_is_encrypted_and_nobody_logs_in() -> None:
    assert client_security(settings()) == {"security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_is_passed_on(mechanism: str) -> None:
    given = settings(security_protocol="SASL_PLAINTEXT", **{**LOGIN, "sasl_mechanism": mechanism})
    assert client_security(given) == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "line_a",
        "sasl_plain_password": PASSWORD,
    }


@pytest.mark.parametrize("missing", sorted(LOGIN))
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_a_login_is_complete(missing: str, protocol: str) -> None:
    given = {name: value for name, value in LOGIN.items() if name != missing}
    said = mistake_in(security_protocol=protocol, **given)
    assert f"expected {missing} with security_protocol {protocol}" in said


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_a_login_needs_a_protocol_that_has_one(protocol: str) -> None:
    said = mistake_in(security_protocol=protocol, **LOGIN)
    assert "expected security_protocol SASL_SSL or SASL_PLAINTEXT with sasl_mechanism" in said


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
@pytest.mark.parametrize(
    "given", [{"ssl_cafile": "ca.pem"}, {"ssl_check_hostname": False}], ids=lambda given: str(given)
)
def test_certificates_need_a_protocol_that_is_encrypted(
    protocol: str, given: dict[str, Any]
) -> None:
    login = LOGIN if protocol.startswith("SASL") else {}
    said = mistake_in(security_protocol=protocol, **given, **login)
    assert f"expected security_protocol SSL or SASL_SSL with {next(iter(given))}" in said


@pytest.mark.parametrize("name", ["ssl_keyfile", "ssl_password"])
def test_a_key_needs_its_certificate(name: str) -> None:
    said = mistake_in(security_protocol="SSL", **{name: PASSWORD})
    assert f"expected ssl_certfile with {name}" in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"security_protocol": "TLS"},
        {"security_protocol": "SASL_SSL", **LOGIN, "sasl_mechanism": "GSSAPI"},
        {"sasl_user": "line_a"},
    ],
)
def test_other_settings_are_refused(wrong: dict[str, Any]) -> None:
    mistake_in(**wrong)


def test_passwords_are_not_shown() -> None:
    given = settings(
        security_protocol="SASL_SSL", ssl_certfile="c.pem", ssl_password=PASSWORD, **LOGIN
    )
    assert PASSWORD not in f"{given!r} {given} {given.model_dump_json()}"


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A folder with a certificate, its key, and the authority's certificate."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "rubbish.pem").write_text("no certificate")
    return tmp_path


def test_certificates_are_loaded(pem: Path) -> None:
    given = settings(
        security_protocol="SSL",
        ssl_cafile=str(pem / "ca.pem"),
        ssl_certfile=str(pem / "cert.pem"),
        ssl_keyfile=str(pem / "key.pem"),
    )
    context = client_security(given)["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


def test_a_key_may_be_in_the_certificates_file(pem: Path) -> None:
    client_security(settings(security_protocol="SSL", ssl_certfile=str(pem / "both.pem")))


def test_the_name_of_the_host_may_be_left_unchecked() -> None:
    given = settings(security_protocol="SSL", ssl_check_hostname=False)
    context = client_security(given)["ssl_context"]
    assert not context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("name", "file", "error", "reason"),
    [
        ("ssl_cafile", "none.pem", FileNotFoundError, "none.pem: No such file"),
        ("ssl_cafile", "rubbish.pem", ValueError, "rubbish.pem: no certificates in PEM"),
        ("ssl_certfile", "none.pem", FileNotFoundError, "none.pem: No such file"),
        ("ssl_certfile", "cert.pem", ValueError, "cert.pem: expected a certificate and its key"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    pem: Path, name: str, file: str, error: type[Exception], reason: str
) -> None:
    given = settings(security_protocol="SSL", **{name: str(pem / file)})
    with pytest.raises(error, match=reason):
        client_security(given)


def encrypted_key(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    secret = serialization.BestAvailableEncryption(PASSWORD.encode())
    kinds = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    (folder / "key.pem").write_bytes(key.private_bytes(*kinds, secret))


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_key_that_is_encrypted_takes_its_password(pem: Path, password: str | None) -> None:
    encrypted_key(pem)
    files = {"ssl_certfile": str(pem / "cert.pem"), "ssl_keyfile": str(pem / "key.pem")}
    client_security(settings(security_protocol="SSL", ssl_password=PASSWORD, **files))
    with pytest.raises(ValueError, match="with ssl_password where the key is encrypted") as caught:
        client_security(settings(security_protocol="SSL", ssl_password=password, **files))
    assert "wrong" not in str(caught.value)
