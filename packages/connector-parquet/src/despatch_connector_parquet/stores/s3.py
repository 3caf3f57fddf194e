"""Objects on S3 and on stores that speak its protocol.

A put is whole or not at all, and with ``If-None-Match: *`` it makes an object only where there is
none: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from pydantic import SecretStr

from despatch_connector_parquet.stores.store import Content, Store

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

__all__ = ["S3Options", "S3Store"]

_log = logging.getLogger("despatch.connector.parquet")

_PUTS: Final = 5
_CONNECT_TIMEOUT_S: Final = 5
_READ_TIMEOUT_S: Final = 20
_CONNECTIONS: Final = 16
_CHAIN: Final = (
    "set `access_key_id` and `secret_access_key`, or use the environment, a profile or a role "
    "as boto3 does"
)
_ADVICE: Final = {
    "NoSuchBucket": "there is no such bucket; make it, or name another in `uri`",
    "PermanentRedirect": "the bucket is in another region; set `region`",
    "IllegalLocationConstraintException": "the bucket is in another region; set `region`",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set `region`",
    "InvalidAccessKeyId": f"the access key is not known; {_CHAIN}",
    "SignatureDoesNotMatch": f"the secret key is not that of the access key; {_CHAIN}",
    "ExpiredToken": "the session token has expired; renew it",
    "AccessDenied": "not allowed; s3:PutObject, s3:GetObject and s3:ListBucket are needed",
    "403": "not allowed; s3:PutObject, s3:GetObject and s3:ListBucket are needed",
}


@dataclass(frozen=True, slots=True)
class S3Options:
    """How a store is reached; what is None is found by boto3's own rules.

    Attributes:
        endpoint_url: The server, for one that is not AWS's.
        region: The bucket's region.
        access_key_id: Whose rights are used.
        secret_access_key: The key that proves it.
        session_token: For credentials that are lent for a while.
    """

    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None


class S3Store(Store):
    """Objects in a bucket.

    A store that does not know conditional puts (it answers 501 to one) is asked first whether
    the object is there, and then told to write it: two writers of one name at the same moment
    both succeed, and the last one stays.

    Args:
        bucket: The bucket, which must be there.
        prefix: What all keys begin with; may be empty.
        options: How to reach it.
    """

    def __init__(self, bucket: str, prefix: str, options: S3Options) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._options = options
        self._client: S3Client | None = None
        self._conditional = True

    @property
    def location(self) -> str:
        """The bucket and the prefix, as a URI."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def open(self) -> None:
        """Make a client; nothing is sent yet."""
        options = self._options
        # Stores other than AWS's may not know the checksums that boto3 adds by itself.
        checksums: Any = "when_supported" if options.endpoint_url is None else "when_required"
        try:
            self._client = boto3.session.Session().client(
                "s3",
                endpoint_url=options.endpoint_url,
                region_name=options.region,
                aws_access_key_id=_revealed(options.access_key_id),
                aws_secret_access_key=_revealed(options.secret_access_key),
                aws_session_token=_revealed(options.session_token),
                config=Config(
                    connect_timeout=_CONNECT_TIMEOUT_S,
                    read_timeout=_READ_TIMEOUT_S,
                    max_pool_connections=_CONNECTIONS,
                    request_checksum_calculation=checksums,
                    response_checksum_validation=checksums,
                    # The core tries again; this is for a kept connection that has gone stale.
                    retries={"mode": "standard", "total_max_attempts": 2},
                ),
            )
        except BotoCoreError as error:
            self._fail(error)

    def create(self, path: str, content: Content) -> bool:
        """Put an object if there is none of this name."""
        body = content if isinstance(content, bytes) else content.to_pybytes()
        for _ in range(_PUTS):
            if not self._conditional:
                return self._put_if_missing(path, body)
            try:
                self._call("put_object", Key=self._key(path), Body=body, IfNoneMatch="*")
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 412:
                    return False
                if status == 501:
                    _log.warning("%s: does not know conditional puts", self.location)
                    self._conditional = False
                elif status != 409:  # another put of this key was under way
                    self._fail(error)
            else:
                return True
        raise OSError(f"{self.location}: {path}: other puts of this key were always under way")

    def read(self, path: str) -> bytes | None:
        """Get an object."""
        try:
            answer = self._call("get_object", Key=self._key(path))
            content: bytes = answer["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            self._fail(error)
        except BotoCoreError as error:
            self._fail(error)
        return content

    def folders(self) -> list[str]:
        """List the common prefixes of keys, all pages of them."""
        prefix = self._key("")
        found: list[str] = []
        page: dict[str, Any] = {}
        while not page or page["IsTruncated"]:
            token = {"ContinuationToken": page["NextContinuationToken"]} if page else {}
            try:
                page = self._call("list_objects_v2", Prefix=prefix, Delimiter="/", **token)
            except ClientError as error:
                self._fail(error)
            found += [each["Prefix"] for each in page.get("CommonPrefixes", ())]
        return sorted(each.removeprefix(prefix).rstrip("/") for each in found)

    def examine(self) -> list[str]:
        """Put a probe twice, read it and delete it."""
        probe = f"_probe_{uuid.uuid4().hex}"
        self.create(probe, b"probe")
        warnings = []
        if self.create(probe, b"other"):
            warnings.append(
                f"{self.location}: the store does not heed If-None-Match; "
                "give each sink a path of its own"
            )
        self.read(probe)
        try:
            self._call("delete_object", Key=self._key(probe))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            warnings.append(f"{self.location}/{probe}: may not be deleted ({code}); remove it")
        return warnings

    def _put_if_missing(self, path: str, body: bytes) -> bool:
        if self.read(path) is not None:
            return False
        try:
            self._call("put_object", Key=self._key(path), Body=body)
        except ClientError as error:
            self._fail(error)
        return True

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _call(self, operation: str, **arguments: Any) -> Any:
        if self._client is None:
            raise OSError(f"{self.location}: not open")
        try:
            return getattr(self._client, operation)(Bucket=self._bucket, **arguments)
        except BotoCoreError as error:
            self._fail(error)

    def _fail(self, error: ClientError | BotoCoreError) -> NoReturn:
        if isinstance(error, ClientError):
            code = error.response.get("Error", {}).get("Code", "")
            advice = _ADVICE.get(code)
            reason = f"{advice} ({error})" if advice else str(error)
        elif isinstance(error, NoCredentialsError | PartialCredentialsError):
            reason = f"no credentials; {_CHAIN}"
        elif isinstance(error, NoRegionError):
            reason = "no region; set `region`, or AWS_DEFAULT_REGION"
        else:
            reason = str(error)
        raise OSError(f"{self.location}: {reason}") from error


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
