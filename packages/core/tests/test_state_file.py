from __future__ import annotations

import asyncio

import pytest

from despatch.states.file import FileState, FileStateSettings


@pytest.fixture
def state(tmp_path):
    return FileState(FileStateSettings(path=tmp_path / "state.json"), simulation="line_a")


def refused(state, content):
    state.settings.path.write_bytes(content)
    with pytest.raises(ValueError, match=r"state\.json") as caught:
        asyncio.run(state.read())
    return str(caught.value).removeprefix(str(state.settings.path))


def test_a_file_is_read_with_or_without_a_mark_of_its_encoding(state):
    text = '{"taken_at": "2026-01-05T06:00:00+02:00", "parameters": {"Line_A.näme": "ß"}}'
    for encoding in ("utf-8", "utf-8-sig"):
        state.settings.path.write_text(text, encoding=encoding)
        snapshot = asyncio.run(state.read())
        assert snapshot.parameters == {"Line_A.näme": "ß"}
        assert snapshot.taken_at.isoformat() == "2026-01-05T06:00:00+02:00"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ":1: expected JSON: Expecting value"),
        (b'{\n "taken_at":\n}', ":3: expected JSON: Expecting value"),
        (b"\xff{}", ": expected UTF-8 text: byte 0 is none"),
        (b"[" * 100_000, ": expected fewer levels of nesting"),
        (b"[]", ": expected a snapshot: Input should be a valid dictionary"),
        (b"{}", ": expected a snapshot: taken_at: Field required"),
        (b'{"taken_at": "2026-01-05T06:00:00"}', "taken_at: Input should have timezone info"),
        (b'{"taken_at": 1, "taken_at": 2}', ": the key 'taken_at' is there twice"),
        (b'{"version": 2, "taken_at": 1}', "version: Input should be 1"),
        (b'{"taken_at": 1, "rooms": {}}', "rooms: Extra inputs are not permitted"),
        (
            b'{"taken_at": 1, "parameters": {"Line_A.speed": NaN}}',
            "parameters: expected a finite number, not nan, at Line_A.speed",
        ),
        (
            b'{"taken_at": 1, "parameters": {"Line_A.sizes": [1, {"b": 1e999}]}}',
            "expected a finite number, not inf, at Line_A.sizes[1].b",
        ),
        (
            b'{"taken_at": 1, "parameters": {"Line_A.name": "\\ud800"}}',
            "expected text without lone surrogates, not '\\ud800', at Line_A.name",
        ),
    ],
)
def test_what_is_no_snapshot_is_refused_with_its_place(state, content, told):
    assert told in refused(state, content)


def test_a_folder_is_no_file(state):
    state.settings.path.mkdir()
    with pytest.raises(IsADirectoryError, match="expected a file, found a folder"):
        asyncio.run(state.open())


def test_looking_says_what_is_there(state):
    state.settings.path.write_text(
        '{"taken_at": "2026-01-05T06:00:00Z", "parameters": {"Line_A.staff": 2}}'
    )
    (finding,) = asyncio.run(state.check()).findings
    assert finding == f"{state.settings.path}: 1 parameter, as of 2026-01-05T06:00:00+00:00"
