"""What Kafka's errors mean, in words: aiokafka often raises them with no text at all."""

from __future__ import annotations

import socket
import ssl

from aiokafka import errors

__all__ = ["KafkaFailure", "explain"]

_MEANINGS: dict[type[BaseException], str] = {
    errors.TopicAuthorizationFailedError: (
        "the user may not do this with the topic: its ACL has to allow DESCRIBE, and WRITE to "
        "send or READ to receive"
    ),
    errors.GroupAuthorizationFailedError: "the user may not READ as this consumer group (ACL)",
    errors.ClusterAuthorizationFailedError: (
        "the user may not do this with the cluster: its ACL has to allow IDEMPOTENT_WRITE to "
        "send, or CREATE to make topics"
    ),
    errors.UnknownTopicOrPartitionError: "the topic or the partition is not there",
    errors.SaslAuthenticationFailed: "the login was refused: see sasl_username and sasl_password",
    errors.OutOfOrderSequenceNumber: (
        "the broker lost track of this producer; what was not confirmed comes again"
    ),
    errors.UnknownProducerId: (
        "the broker no longer knows this producer; what was not confirmed comes again"
    ),
    errors.InvalidTimestampError: (
        "a record's timestamp is further from the wall clock than the topic allows: set the "
        "topic's message.timestamp.after.max.ms or message.timestamp.before.max.ms, or "
        "`timestamp: delivery`"
    ),
    errors.NotEnoughReplicasError: "too few replicas are in sync (min.insync.replicas)",
    # Kafka's own name for 13 is NETWORK_EXCEPTION, and aiokafka has an older one.
    errors.StaleLeaderEpochCodeError: "the server disconnected before it had answered",
}


class KafkaFailure(Exception):
    """What was asked of Kafka and not done, and why."""


def explain(error: BaseException) -> str:
    """Say what went wrong in one line; never empty."""
    for kind in type(error).__mro__:
        if kind in _MEANINGS:
            return f"{_MEANINGS[kind]} ({type(error).__name__})"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", None) or "SSL"
        return f"no TLS connection ({reason}): is this port encrypted?"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionResetError | EOFError):
        return "the server hung up: does security_protocol fit this port?"
    if isinstance(error, errors.KafkaConnectionError):
        return f"{_text(error)}: does security_protocol fit this port?"
    return _text(error)


def _text(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
