"""Calls to AWS Glue: made in a thread, and answered in words.

This alone imports boto3, and is imported where Glue is chosen.

Source: https://docs.aws.amazon.com/glue/latest/webapi/API_Operations.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from despatch_serializer_avro.registry import SchemaRegistryError
from despatch_serializer_avro.settings import GlueSettings

__all__ = ["GlueApi", "GlueRefusedError"]

_DENIED: Final = (
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
)


class GlueRefusedError(SchemaRegistryError):
    """Glue answered, and not with what it was asked for.

    Attributes:
        code: Its word for why, such as ``EntityNotFoundException``.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class GlueApi:
    """A client, which is made when it is first asked."""

    def __init__(self, settings: GlueSettings) -> None:
        self._settings = settings
        self._client: Any = None

    async def ask(self, operation: str, *, about: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation by boto3's name for it.

        Args:
            operation: Such as ``get_schema_version``.
            about: What it is about, for the error.
            arguments: Its arguments.

        Raises:
            GlueRefusedError: Glue says no.
            SchemaRegistryError: It is out of reach, or boto3 has no region or credentials.
        """
        where = f"Glue registry {self._settings.registry_name}: {about}"
        try:
            if self._client is None:
                self._client = await asyncio.to_thread(self._connect)
            call = partial(getattr(self._client, operation), **arguments)
            answer: dict[str, Any] = await asyncio.to_thread(call)
        except ClientError as error:
            said = error.response.get("Error", {})
            code = str(said.get("Code", "?"))
            hint = ": see the credentials and their policy" if code in _DENIED else ""
            message = f"{where}: {code}: {said.get('Message', '')}{hint}"
            raise GlueRefusedError(message, code) from error
        except (BotoCoreError, ValueError) as error:
            raise SchemaRegistryError(f"{where}: {error}") from error
        return answer

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    def _connect(self) -> Any:
        settings = self._settings
        secrets = [settings.access_key_id, settings.secret_access_key, settings.session_token]
        key_id, key, token = _plain(secrets)
        session = boto3.Session(
            aws_access_key_id=key_id,
            aws_secret_access_key=key,
            aws_session_token=token,
            region_name=settings.region,
        )
        timeout_s = settings.timeout.total_seconds()
        # The core tries again, and shows the reason.
        config = Config(
            connect_timeout=timeout_s, read_timeout=timeout_s, retries={"total_max_attempts": 1}
        )
        return session.client("glue", endpoint_url=settings.endpoint_url, config=config)


def _plain(secrets: Sequence[Any]) -> list[str | None]:
    return [None if secret is None else secret.get_secret_value() for secret in secrets]
