"""Requests to a registry with Confluent's API, answered in bounds and in words.

Source: https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx

from despatch_serializer_avro.registry import SchemaRegistryError
from despatch_serializer_avro.settings import ConfluentSettings

__all__ = ["LARGEST_ANSWER_BYTES", "ConfluentApi", "RefusedError"]

LARGEST_ANSWER_BYTES: Final = 4 * 1024 * 1024
_JSON: Final = "application/vnd.schemaregistry.v1+json"
_LONGEST_REASON: Final = 500


class RefusedError(SchemaRegistryError):
    """The registry answered, and not with what it was asked for.

    Attributes:
        status: HTTP's status.
        code: The registry's own `error_code`, such as 40401; the status where it gives none.
    """

    def __init__(self, message: str, status: int, code: int) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ConfluentApi:
    """A client, which connects when it is first asked."""

    def __init__(self, settings: ConfluentSettings) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def get(self, *path: str, about: str, query: Mapping[str, str] | None = None) -> Any:
        """Ask for what is under a path.

        Args:
            path: The steps of the path, not yet quoted.
            about: What it is about, for the error: ``subject 'line_a.event-value'``.
            query: Parameters.

        Raises:
            RefusedError: The registry does not give it.
            SchemaRegistryError: It is out of reach, or does not speak the API.
        """
        return await self._ask("GET", path, about, query=query)

    async def post(self, *path: str, body: Mapping[str, Any], about: str) -> Any:
        """Send something to a path; see `get`."""
        return await self._ask("POST", path, about, body=body)

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        about: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        url = "/".join([self._settings.url, *(quote(step, safe="") for step in path)])
        where = f"schema registry {self._settings.url}: {about}"
        content = None if body is None else json.dumps(body).encode()
        try:
            async with self._connected().stream(
                method,
                url,
                params=query,
                content=content,
                headers={"Accept": _JSON, "Content-Type": _JSON},
            ) as response:
                answer = await _bounded(response, where)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise SchemaRegistryError(f"{where}: {_told(error)}") from error
        return _read(response, answer, where)

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            settings = self._settings
            auth = None
            if settings.username is not None and settings.password is not None:
                auth = httpx.BasicAuth(settings.username, settings.password.get_secret_value())
            self._client = httpx.AsyncClient(
                auth=auth,
                timeout=settings.timeout.total_seconds(),
                verify=_verification(settings),
            )
        return self._client


def _verification(settings: ConfluentSettings) -> ssl.SSLContext | bool:
    if settings.ca_file is None:
        return settings.verify
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file))
    except OSError as error:  # an SSLError is one too
        message = f"schema registry {settings.url}: `ca_file` {settings.ca_file}: {error}"
        raise SchemaRegistryError(message) from error


async def _bounded(response: httpx.Response, where: str) -> bytes:
    answer = bytearray()
    async for chunk in response.aiter_bytes():
        answer += chunk
        if len(answer) > LARGEST_ANSWER_BYTES:
            raise SchemaRegistryError(
                f"{where}: the answer has more than {LARGEST_ANSWER_BYTES} bytes"
            )
    return bytes(answer)


def _read(response: httpx.Response, answer: bytes, where: str) -> Any:
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        said = None
    status = response.status_code
    if response.is_success and said is not None:
        return said
    if response.is_success or response.is_redirect:
        raise SchemaRegistryError(
            f"{where}: HTTP {status} and no JSON: is this a registry with Confluent's API? "
            "Apicurio's is under /apis/ccompat/v7"
        )
    if status in (401, 403):
        raise RefusedError(f"{where}: HTTP {status}: {_DENIED[status]}", status, status)
    code, reason = status, response.reason_phrase
    if isinstance(said, dict):
        code = said["error_code"] if type(said.get("error_code")) is int else status
        reason = str(said.get("message", reason))[:_LONGEST_REASON]
    raise RefusedError(f"{where}: HTTP {status}, error {code}: {reason}", status, code)


_DENIED: Final = {
    401: "it wants another `username` and `password`",
    403: "this user may not do that",
}


def _told(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return f"out of reach: {str(error) or type(error).__name__}"
