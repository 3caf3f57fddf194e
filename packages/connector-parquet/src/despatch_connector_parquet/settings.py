"""The settings of the `parquet` egress and state source, and the store that they name."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from pyarrow import ArrowException
from pyarrow.fs import FileSystem
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from despatch.snapshot_tables import TimeZone
from despatch.templates import Template
from despatch_connector_parquet.formats import COMPRESSIONS, Compression, Format
from despatch_connector_parquet.inference import Integers
from despatch_connector_parquet.stores import FileSystemStore, LocalStore, S3Store, Store
from despatch_connector_parquet.stores.s3 import S3Options

__all__ = ["ParquetSettings", "ParquetStateSettings", "StoreSettings", "open_store"]

_SCHEMES: Final = frozenset(
    {"", "file", "s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs", "mock"}
)
_S3_OPTIONS: Final = (
    "endpoint_url",
    "region",
    "access_key_id",
    "secret_access_key",
    "session_token",
)
_RETRY_LIMIT: Final = "retry_limit_seconds"
_RETRY_LIMIT_S: Final = 15
# A reader that takes a folder `key=…` for a partition cannot have a column `key` as well.
_COLUMNS: Final = frozenset(
    {"stream_type", "sim", "key", "path_id", "type", "sim_ts", "timestamp"}
    | {"run_id", "seq", "sink_seq", "value", "more"}
)


class StoreSettings(BaseModel):
    """Where files are, and how they are reached.

    Attributes:
        uri: The root of all files: a local path, ``file://``, ``s3://bucket/prefix``, ``gs://``,
            ``abfs://``, ``hdfs://``, without secrets.
        uri_options: What pyarrow is given as the query of a URI other than S3's, such as
            ``tenant_id=…&client_id=…&client_secret=…``.
        endpoint_url: The server of an S3 that is not AWS's, such as ``http://minio:9000``.
        region: The bucket's region.
        access_key_id: Without it, credentials are found as boto3 finds them.
        secret_access_key: The secret that belongs to it.
        session_token: For credentials that are lent for a while.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    uri: str = Field(min_length=1)
    uri_options: SecretStr | None = None
    endpoint_url: str | None = Field(None, pattern=r"^https?://[^@]+$")
    region: str | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None

    @field_validator("uri")
    @classmethod
    def _is_location(cls, uri: str) -> str:
        scheme = _scheme(uri)
        if scheme not in _SCHEMES:
            known = ", ".join(sorted(_SCHEMES - {"", "mock"}))
            raise ValueError(f"expected a path or a URI of one of {known}")
        if scheme:
            try:
                parts = urlsplit(uri)
                has_secret = parts.password is not None or bool(parts.query)
                has_bucket = scheme != "s3" or bool(parts.netloc)
            except ValueError as error:
                raise ValueError("expected a URI such as s3://bucket/prefix") from error
            if has_secret or (scheme == "s3" and parts.username is not None):
                raise ValueError(
                    "expected a URI without a password and without options: those of S3 are "
                    "`access_key_id` and the like, those of others go into `uri_options`"
                )
            if not has_bucket:
                raise ValueError("expected a bucket, as in s3://bucket/prefix")
        return uri

    @model_validator(mode="after")
    def _fits_the_store(self) -> Self:
        is_s3 = _scheme(self.uri) == "s3"
        strange = [name for name in _S3_OPTIONS if getattr(self, name) is not None]
        if strange and not is_s3:
            raise ValueError(f"{strange[0]}: expected with a URI s3://… only")
        if self.uri_options is not None and (is_s3 or _scheme(self.uri) in ("", "file")):
            raise ValueError("uri_options: expected with a URI that pyarrow opens, not S3's")
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("expected access_key_id and secret_access_key together")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token: expected with access_key_id and secret_access_key")
        return self


class ParquetSettings(StoreSettings):
    """The settings of the `parquet` egress.

    Attributes:
        path: The folder below the root, as a template. What a record fills in is escaped, so
            that it names a part of one folder and cannot lead out of it.
        format: What the files are.
        compression: What they are compressed by; by default zstd for Parquet, else nothing.
        integers: What a column of undeclared values becomes if the first batch has only whole
            numbers in it: a double, so that fractions may follow, or an int64.
    """

    path: Template = Template("{stream_type}/{type}/run={run_id}")
    format: Format = "parquet"
    compression: Compression | None = None
    integers: Integers = "double"

    @property
    def codec(self) -> Compression:
        """What files are compressed by."""
        return self.compression or COMPRESSIONS[self.format][0]

    @field_validator("path")
    @classmethod
    def _is_folder(cls, path: Template) -> Template:
        for part in path.text.split("/") if path.text else ():
            _check_part(part)
        return path

    @model_validator(mode="after")
    def _fits_the_format(self) -> Self:
        if self.codec not in COMPRESSIONS[self.format]:
            known = ", ".join(COMPRESSIONS[self.format])
            raise ValueError(f"compression: expected one of {known} for {self.format}")
        return self


class ParquetStateSettings(StoreSettings):
    """The settings of the `parquet` state source.

    Attributes:
        newest: Whether `uri` has a folder for each snapshot, of which the last one by name counts
            that has a `snapshot.parquet`; else `uri` is the folder with the tables.
        time_zone: Of which zone times without an offset from UTC are: ``UTC``, ``+01:00``,
            ``Europe/Berlin``; without it, such a time is refused.
        json_values: Whether values and items that are text are JSON; columns of Parquet's type
            JSON are read as such anyway.
    """

    newest: bool = False
    time_zone: TimeZone | None = None
    json_values: bool = False


def open_store(settings: StoreSettings) -> Store:
    """Open the store that the settings name; blocks.

    Raises:
        OSError: It cannot be reached, or the URI is none that pyarrow knows.
    """
    store = _store(settings)
    store.open()
    return store


def _store(settings: StoreSettings) -> Store:
    scheme = _scheme(settings.uri)
    if not scheme:
        return LocalStore(Path(settings.uri).expanduser())
    parts = urlsplit(settings.uri)
    if scheme == "file":
        return LocalStore(Path(unquote(parts.path)))
    if scheme == "s3":
        options = S3Options(*(getattr(settings, name) for name in _S3_OPTIONS))
        return S3Store(parts.netloc, unquote(parts.path), options)
    return _pyarrow_store(settings)


def _pyarrow_store(settings: StoreSettings) -> Store:
    secret = settings.uri_options.get_secret_value() if settings.uri_options else ""
    options = [secret] if secret else []
    if _scheme(settings.uri) in ("gs", "gcs") and _RETRY_LIMIT not in secret:
        # Google's client would try for 15 minutes, in a thread that nothing can end.
        options.append(f"{_RETRY_LIMIT}={_RETRY_LIMIT_S}")
    try:
        query = "&".join(options)
        filesystem, root = FileSystem.from_uri(f"{settings.uri}?{query}" if query else settings.uri)
    except (ArrowException, OSError, ValueError) as error:
        # pyarrow quotes the URI that it was given.
        said = str(error).replace(secret, "…") if secret else str(error)
        raise OSError(f"{settings.uri}: {said}") from None
    return FileSystemStore(filesystem, root, settings.uri)


def _scheme(uri: str) -> str:
    scheme, separator, _ = uri.partition("://")
    return scheme.lower() if separator else ""


def _check_part(part: str) -> None:
    """Refuse what is no folder, or what readers would not look into or not read."""
    if not part:
        raise ValueError("expected a relative path without empty parts, such as {stream_type}")
    if part[0] in "._":
        raise ValueError("expected parts that do not begin with . or _: readers pass over those")
    if any(character in "\\*?[]:" or not character.isprintable() for character in _literal(part)):
        raise ValueError("expected parts without \\ * ? [ ] : and control characters")
    name, is_partition, _ = part.partition("=")
    if is_partition and name in _COLUMNS:
        raise ValueError(
            f"expected partitions named unlike the files' own columns, and {name}= is one of "
            f"those; name it otherwise, such as by_{name}={{…}}"
        )


def _literal(part: str) -> str:
    return "".join(text for text, *_ in string.Formatter().parse(part))
