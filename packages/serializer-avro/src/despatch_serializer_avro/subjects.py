"""Subjects: what a schema is filed under in a registry, by Confluent's strategies."""

from __future__ import annotations

from typing import Literal, TypeAlias

from despatch_serializer_avro.registry import SchemaRegistryError

__all__ = ["SubjectStrategy", "prefix_of", "subject_of"]

SubjectStrategy: TypeAlias = Literal["topic", "record", "topic_record"]
"""``topic`` files under ``<topic>-value``, ``record`` under the record's full name,
``topic_record`` under ``<topic>-<full name>``.

Source: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/
"""


def subject_of(
    strategy: SubjectStrategy, target: str, name: str, *, value_suffix: str = "-value"
) -> str:
    """The subject of a schema.

    Args:
        strategy: How it is made.
        target: Where the records go; empty where the connector has one place alone.
        name: The schema's full name.
        value_suffix: What follows the topic where the topic alone names the subject.

    Raises:
        SchemaRegistryError: The strategy needs a target, and there is none.
    """
    if strategy == "topic":
        if not target:
            raise SchemaRegistryError(
                "this sink has no topics to name subjects after: "
                "set `subject` to record or topic_record"
            )
        return f"{target}{value_suffix}"
    return f"{target}-{name}" if strategy == "topic_record" and target else name


def prefix_of(strategy: SubjectStrategy, target: str, *, value_suffix: str = "-value") -> str:
    """What all subjects of a target begin with, as far as that is known before a run."""
    if strategy == "record" or not target:
        return "despatch."
    return f"{target}{value_suffix}" if strategy == "topic" else f"{target}-despatch."
