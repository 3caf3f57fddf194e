"""``python -m services.registry_stand_in PORT FILE``: serve the API on a loopback port.

With ``REGISTRY_AUTH=user:password`` in the environment it asks for these by basic authentication.
The paths, answers and error codes are those of
https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from services.registry_stand_in.avro import InvalidSchemaError
from services.registry_stand_in.store import RefusalError, Store, Version

JSON = "application/vnd.schemaregistry.v1+json"
CONTENT_TYPES = (JSON, "application/vnd.schemaregistry+json", "application/json")
LARGEST_BODY = 1_000_000


class Call:
    """One request: what its path names, its query and its body."""

    def __init__(self, names: tuple[str, ...], query: dict[str, str], body: Any) -> None:
        self.names = names
        self.query = query
        self.body = body

    def schema(self) -> str:
        """The schema that was sent."""
        fields = self.fields("schema", "schemaType", "references", "metadata", "ruleSet")
        schema = fields.get("schema")
        if not isinstance(schema, str):
            raise RefusalError(42201, f"a schema as text was expected, got {schema!r}")
        if fields.get("schemaType") not in (None, "AVRO"):
            raise RefusalError(42201, f"this registry knows AVRO, not {fields['schemaType']!r}")
        if any(fields.get(name) for name in ("references", "metadata", "ruleSet")):
            raise RefusalError(42201, "this registry knows no references, metadata or rules")
        return schema

    def fields(self, *known: str) -> dict[str, Any]:
        """The body, which has to be an object of known fields."""
        if not isinstance(self.body, dict):
            raise RefusalError(422, f"a JSON object was expected, got {self.body!r}")
        if unknown := self.body.keys() - set(known):
            raise RefusalError(422, f"Unrecognized field: {', '.join(sorted(unknown))}")
        return self.body


def described(version: Version) -> dict[str, Any]:
    """A version as the API gives it."""
    return {
        "subject": version.subject,
        "version": version.version,
        "id": version.id,
        "schema": version.schema,
    }


def set_level(store: Store, call: Call) -> dict[str, str]:
    """Answer a change of the compatibility of all subjects, or of one."""
    level = call.fields("compatibility").get("compatibility")
    store.set_level(call.names[0] if call.names else "", str(level))
    return {"compatibility": str(level)}


def check(store: Store, call: Call) -> dict[str, Any]:
    """Answer whether a schema may follow a version."""
    against = [store.version(*call.names)]
    reason = store.why_incompatible(call.names[0], call.schema(), against)
    answer: dict[str, Any] = {"is_compatible": reason is None}
    if call.query.get("verbose") == "true":
        answer["messages"] = [reason] if reason else []
    return answer


Answer = Callable[[Store, Call], Any]
ROUTES: list[tuple[str, str, Answer]] = [
    ("GET", "/", lambda store, call: {}),
    ("GET", "/schemas/types", lambda store, call: ["AVRO"]),
    (
        "GET",
        r"/schemas/ids/(\d+)",
        lambda store, call: {"schema": store.by_id(int(call.names[0]))[0].schema},
    ),
    (
        "GET",
        r"/schemas/ids/(\d+)/versions",
        lambda store, call: [
            {"subject": each.subject, "version": each.version}
            for each in store.by_id(int(call.names[0]))
            if not each.deleted
        ],
    ),
    ("GET", "/subjects", lambda store, call: store.subjects()),
    (
        "POST",
        "/subjects/([^/]+)",
        lambda store, call: described(store.look_up(call.names[0], call.schema())),
    ),
    ("DELETE", "/subjects/([^/]+)", lambda store, call: store.delete(call.names[0])),
    (
        "GET",
        "/subjects/([^/]+)/versions",
        lambda store, call: [each.version for each in store.versions(call.names[0])],
    ),
    (
        "POST",
        "/subjects/([^/]+)/versions",
        lambda store, call: {"id": store.register(call.names[0], call.schema()).id},
    ),
    (
        "GET",
        "/subjects/([^/]+)/versions/([^/]+)",
        lambda store, call: described(store.version(*call.names)),
    ),
    ("POST", "/compatibility/subjects/([^/]+)/versions/([^/]+)", check),
    ("GET", "/config", lambda store, call: {"compatibilityLevel": store.level("")}),
    ("PUT", "/config", set_level),
    (
        "GET",
        "/config/([^/]+)",
        lambda store, call: {
            "compatibilityLevel": store.level(
                call.names[0], or_global=call.query.get("defaultToGlobal") == "true"
            )
        },
    ),
    ("PUT", "/config/([^/]+)", set_level),
]


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    store: Store
    lock: threading.Lock
    auth: str

    def answer(self) -> None:
        """Answer a request, whatever its method."""
        try:
            # Whatever is sent is read, so that the next request starts where this one ended.
            content = self.content()
            self.authenticate()
            reply, status = self.route(content), 200
        except (InvalidSchemaError, RecursionError) as error:
            status = 422
            reply = {"error_code": 42201, "message": f"Invalid schema: {error}"}
        except RefusalError as error:
            status = int(str(error.code)[:3])
            reply = {"error_code": error.code, "message": str(error)}
        body = json.dumps(reply).encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.send_header("Content-Type", JSON)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    def authenticate(self) -> None:
        """Check the credentials."""
        expected = "Basic " + base64.b64encode(self.auth.encode()).decode()
        given = self.headers.get("Authorization", "")
        if self.auth and not hmac.compare_digest(given.encode(), expected.encode()):
            raise RefusalError(401, "Unauthorized")

    def content(self) -> bytes:
        """The bytes that were sent."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            self.close_connection = True
            raise RefusalError(400, f"Content-Length: a number was expected, got {length!r}")
        content = self.rfile.read(min(int(length), LARGEST_BODY + 1))
        if len(content) > LARGEST_BODY:
            self.close_connection = True
            raise RefusalError(413, f"at most {LARGEST_BODY} bytes were expected")
        return content

    def route(self, content: bytes) -> Any:
        """Find what answers."""
        place = urlsplit(self.path)
        matching = [
            (method, answer, found)
            for method, pattern, answer in ROUTES
            if (found := re.fullmatch(pattern, place.path))
        ]
        if not matching:
            raise RefusalError(404, "HTTP 404 Not Found")
        for method, answer, found in matching:
            if method == self.command:
                names = tuple(map(unquote, found.groups()))
                call = Call(names, dict(parse_qsl(place.query)), self.body(content))
                with self.lock:
                    return answer(self.store, call)
        raise RefusalError(405, "HTTP 405 Method Not Allowed")

    def body(self, content: bytes) -> Any:
        """What was sent, as JSON."""
        if self.command not in ("POST", "PUT"):
            return None
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind not in CONTENT_TYPES:
            raise RefusalError(415, f"HTTP 415 Unsupported Media Type: {kind!r}")
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise RefusalError(400, f"not JSON: {error}") from error

    def log_message(self, *args: object) -> None:
        """Say nothing: a log is read when the server did not come up."""


def main(port: str, file: str) -> None:
    """Serve until the process is ended."""
    Handler.store, Handler.lock = Store(Path(file)), threading.Lock()
    Handler.auth = os.environ.get("REGISTRY_AUTH", "")
    with ThreadingHTTPServer(("127.0.0.1", int(port)), Handler) as server:
        server.serve_forever()


main(*sys.argv[1:])
