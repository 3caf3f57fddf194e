from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.records import Event, Record, Telemetry
from despatch.templates import Template
from despatch_connector_parquet.places import (
    NULL_PARTITION,
    Place,
    Places,
    escaped,
    file_name,
    schema_name,
)

NOON = "2026-01-05T12:00:00.000000+00:00"
DEFAULT = "{stream_type}/{type}/run={run_id}"


def event(key: str = "k", type_name: str | None = None, sim: str = "line_a") -> Record:
    return Event(sim, key, type_name, 1, 0.0, NOON, "r1", 0, 0)


def telemetry(path: str = "a.b") -> Record:
    return Telemetry("line_a", path, None, 1, 0.0, NOON, "r1", 0, 0)


def test_the_default_has_a_folder_for_each_type_and_a_partition_for_each_run() -> None:
    places = Places(Template(DEFAULT))
    assert places.of(event(type_name="Part")) == ("event/Part/run=r1", "event/Part/run=*", "event")
    expected = ("telemetry/untyped/run=r1", "telemetry/untyped/run=*", "telemetry")
    assert places.of(telemetry()) == expected


def test_keys_paths_and_runs_are_partitions_of_one_data_set() -> None:
    places = Places(Template("{sim}/{type}/by={key}/{run_id}"))
    one, two = places.of(event("a")), places.of(event("b"))
    assert one.folder != two.folder
    assert one.data_set == two.data_set == "line_a/untyped/by=*/*"
    assert places.of(event(sim="x")).data_set == "x/untyped/by=*/*"


def test_records_are_grouped_by_place_in_their_order() -> None:
    records = [event(), telemetry(), event(type_name="Part"), event(), telemetry()]
    groups = Places(Template(DEFAULT)).group(records)
    found = {place.folder: list(indexes) for place, indexes in groups.items()}
    assert found == {
        "event/untyped/run=r1": [0, 3],
        "telemetry/untyped/run=r1": [1, 4],
        "event/Part/run=r1": [2],
    }


@pytest.mark.parametrize("template", ["by={key}", "{path}/x"])
def test_records_are_grouped_by_key(template: str) -> None:
    groups = Places(Template(template)).group([event("a"), event("b"), telemetry("a"), event("a")])
    assert sorted(map(list, groups.values())) == [[0, 3], [1], [2]]


def test_records_of_one_kind_are_one_group() -> None:
    groups = Places(Template(DEFAULT)).group([event("a"), event("b")])
    assert [list(indexes) for indexes in groups.values()] == [[0, 1]]
    assert not Places(Template(DEFAULT)).group([])


def test_events_and_telemetry_in_one_folder_are_two_data_sets() -> None:
    groups = Places(Template("all")).group([event(), telemetry()])
    assert [(place.data_set, place.stream_type) for place in groups] == [
        ("all", "event"),
        ("all", "telemetry"),
    ]
    assert len({schema_name(place) for place in groups}) == 2


def test_more_places_than_are_remembered_are_all_found() -> None:
    places = Places(Template("by={key}"))
    for _ in range(2):
        folders = {places.of(event(str(number))).folder for number in range(5000)}
        assert len(folders) == 5000


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("part-17", "part-17"),
        ("a/b", "a%2Fb"),
        ("a=b", "a%3Db"),
        ("a\\b:c*?[x]", "a%5Cb%3Ac%2A%3F%5Bx%5D"),
        ("50%", "50%25"),
        ("ü", "%C3%BC"),
        ("\n\0", "%0A%00"),
        ("", NULL_PARTITION),
    ],
)
def test_values_are_escaped_as_hive_does(value: str, name: str) -> None:
    assert escaped(value) == name


@pytest.mark.parametrize(
    ("value", "folder"),
    [("..", "%2E."), (".", "%2E"), ("_x", "%5Fx"), ("", "%5F_HIVE_DEFAULT_PARTITION__")],
)
def test_a_folder_is_never_one_that_readers_pass_over(value: str, folder: str) -> None:
    assert Places(Template("{key}/x")).of(event(value)).folder == f"{folder}/x"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_no_value_leads_out_of_its_folder(value: str) -> None:
    folder = Places(Template("a/{key}/by={key}/z")).of(event(value)).folder
    parts = PurePosixPath(folder).parts
    assert folder == "/".join(parts)
    assert len(parts) == 4
    assert (parts[0], parts[3]) == ("a", "z")
    assert parts[2].count("=") == 1
    assert not any(part.startswith((".", "_")) for part in parts)
    assert all(len(part.encode()) < 200 and part.isascii() and part.isprintable() for part in parts)
    if 0 < len(escaped(value)) <= 120 and value:
        assert unquote(parts[2].removeprefix("by=")) == value


def test_long_values_are_cut_and_stay_apart() -> None:
    one, two = escaped("x" * 500 + "a"), escaped("x" * 500 + "b")
    assert one != two
    assert len(one) < 150
    assert "%" not in escaped("x" * 119 + "ü" * 100).split("~")[0][118:]


def test_a_schema_is_named_after_its_data_set() -> None:
    assert schema_name(Place("", "event/Part/run=*", "event")) == (
        "events-event%2FPart%2Frun=%2A.json"
    )
    assert schema_name(Place("", "", "telemetry")) == "telemetry-root.json"


def test_schemas_of_different_data_sets_have_different_names() -> None:
    data_sets = ["a/b", "a%2Fb", "a-b", "*", "%2A", "x" * 300, "x" * 301]
    names = {schema_name(Place("", each, "event")) for each in data_sets}
    assert len(names) == len(data_sets)
    assert all(len(name) < 240 for name in names)


def test_a_file_is_named_after_what_names_its_content() -> None:
    place = Place("a", "a", "event")
    name = file_name(place, b"1", 0, ".parquet")
    assert name == file_name(place, b"1", 0, ".parquet")
    assert name.startswith("events_")
    assert len(name) == len("events_0f3c9a12.parquet")
    others = {
        file_name(place, b"2", 0, ".parquet"),
        file_name(place, b"1", 1, ".parquet"),
        file_name(Place("b", "a", "event"), b"1", 0, ".parquet"),
        file_name(Place("a", "a", "telemetry"), b"1", 0, ".parquet"),
    }
    assert len(others) == 4
    assert name not in others
