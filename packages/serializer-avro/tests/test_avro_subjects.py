from __future__ import annotations

import pytest
from confluent_kafka.schema_registry import (
    record_subject_name_strategy,
    topic_record_subject_name_strategy,
    topic_subject_name_strategy,
)
from confluent_kafka.serialization import MessageField, SerializationContext

from despatch_serializer_avro import SchemaRegistryError
from despatch_serializer_avro.subjects import SubjectStrategy, prefix_of, subject_of

NAME = "despatch.event.PartDone"
CONTEXT = SerializationContext("line_a.event", MessageField.VALUE)


@pytest.mark.parametrize(
    ("strategy", "confluents"),
    [
        ("topic", topic_subject_name_strategy(CONTEXT, NAME)),
        ("record", record_subject_name_strategy(CONTEXT, NAME)),
        ("topic_record", topic_record_subject_name_strategy(CONTEXT, NAME)),
    ],
)
def test_subjects_are_confluents(strategy: SubjectStrategy, confluents: str) -> None:
    subject = subject_of(strategy, "line_a.event", NAME)
    assert subject == confluents
    assert subject.startswith(prefix_of(strategy, "line_a.event"))


def test_without_a_target_the_record_names_the_subject() -> None:
    assert subject_of("topic_record", "", NAME) == NAME
    assert NAME.startswith(prefix_of("topic_record", ""))
    with pytest.raises(SchemaRegistryError, match="set `subject` to record or topic_record"):
        subject_of("topic", "", NAME)


def test_the_suffix_of_a_topic_is_the_registrys() -> None:
    assert subject_of("topic", "t", NAME, value_suffix="") == "t"
    assert prefix_of("topic", "t", value_suffix="") == "t"
