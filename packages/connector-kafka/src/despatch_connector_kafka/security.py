"""How both connectors prove who they are, and that the broker is who it says.

The names are those of Kafka's own clients (https://kafka.apache.org/documentation/#security).
"""

from __future__ import annotations

import ssl
from typing import Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from despatch.mistakes import mistake

__all__ = ["KafkaSecuritySettings", "client_security"]

Protocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class KafkaSecuritySettings(BaseModel):
    """Encryption and login.

    Attributes:
        security_protocol: Whether connections are encrypted (SSL) and need a login (SASL).
        sasl_mechanism: How to log in. Required with SASL, and so are the next two.
        sasl_username: Who logs in.
        sasl_password: With what.
        ssl_cafile: The certificates that the broker's is to be signed by, a PEM file; None
            takes the system's.
        ssl_certfile: The certificate to show to the broker, a PEM file.
        ssl_keyfile: Its key, where that is in a file of its own.
        ssl_password: What the key is encrypted with.
        ssl_check_hostname: Whether the broker's certificate has to name the host.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    security_protocol: Protocol = "PLAINTEXT"
    sasl_mechanism: Mechanism | None = None
    sasl_username: str | None = Field(None, min_length=1)
    sasl_password: SecretStr | None = None
    ssl_cafile: str | None = Field(None, min_length=1)
    ssl_certfile: str | None = Field(None, min_length=1)
    ssl_keyfile: str | None = Field(None, min_length=1)
    ssl_password: SecretStr | None = None
    ssl_check_hostname: bool = True

    @property
    def logs_in(self) -> bool:
        """Whether the protocol has a login."""
        return self.security_protocol.startswith("SASL_")

    @property
    def is_encrypted(self) -> bool:
        """Whether the protocol is encrypted."""
        return self.security_protocol.endswith("SSL")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        login = ("sasl_mechanism", "sasl_username", "sasl_password")
        given = [name for name in login if getattr(self, name) is not None]
        if self.logs_in and len(given) < len(login):
            missing = [name for name in login if name not in given]
            raise mistake(f"{' and '.join(missing)} with security_protocol {self._protocol}")
        if given and not self.logs_in:
            raise mistake(
                f"security_protocol SASL_SSL or SASL_PLAINTEXT with {given[0]}: "
                f"{self._protocol} has no login"
            )
        return self

    @model_validator(mode="after")
    def _is_encrypted_where_asked(self) -> Self:
        files = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password")
        given = [name for name in files if getattr(self, name) is not None]
        if not self.ssl_check_hostname:
            given.append("ssl_check_hostname")
        if given and not self.is_encrypted:
            raise mistake(
                f"security_protocol SSL or SASL_SSL with {given[0]}: "
                f"{self._protocol} is not encrypted"
            )
        for name in ("ssl_keyfile", "ssl_password"):
            if name in given and self.ssl_certfile is None:
                raise mistake(f"ssl_certfile with {name}")
        return self

    @property
    def _protocol(self) -> str:
        return self.security_protocol


def client_security(settings: KafkaSecuritySettings) -> dict[str, Any]:
    """The arguments that aiokafka's clients take. Reads the files of certificates.

    Raises:
        OSError: A file is not there or cannot be read.
        ValueError: A file holds no certificate or key, or the password is wrong.
    """
    options: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if settings.logs_in:
        assert settings.sasl_password is not None
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    if settings.is_encrypted:
        options["ssl_context"] = _ssl_context(settings)
    return options


def _ssl_context(settings: KafkaSecuritySettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
    except ssl.SSLError as error:
        raise ValueError(f"ssl_cafile {settings.ssl_cafile}: no certificates in PEM") from error
    except OSError as error:
        raise type(error)(f"ssl_cafile {settings.ssl_cafile}: {error.strerror}") from error
    context.check_hostname = settings.ssl_check_hostname
    if settings.ssl_certfile is not None:
        files = " and ".join(filter(None, (settings.ssl_certfile, settings.ssl_keyfile)))
        # Without a password of ours OpenSSL would ask for one at the terminal.
        password = settings.ssl_password.get_secret_value() if settings.ssl_password else ""
        try:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, lambda: password)
        except ssl.SSLError as error:
            raise ValueError(
                f"ssl_certfile and ssl_keyfile, {files}: expected a certificate and its key in "
                "PEM, with ssl_password where the key is encrypted"
            ) from error
        except OSError as error:
            raise type(error)(f"ssl_certfile and ssl_keyfile, {files}: {error.strerror}") from error
    return context
