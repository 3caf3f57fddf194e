from __future__ import annotations

import pytest
from pydantic import create_model

from despatch import Distribution, Normal, SimParameter
from despatch.errors import UnknownPathError
from despatch.registry.parameter_tree import ParameterTree


class Lathe(SimParameter):
    capacity: int = 1
    milling: Distribution = Normal(mean=3.0, std=0.5)


class Line(SimParameter):
    speed: float = 1.0
    lathe: Lathe = Lathe()


@pytest.fixture
def tree():
    tree = ParameterTree()
    tree.add("Line_A", Line())
    return tree


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("Line_A.lathe.capcity", "Line_A.lathe.capacity"),
        ("Line_A.lath.capacity", "Line_A.lathe.capacity"),
        ("Line_B.lathe.capacity", "Line_A.lathe.capacity"),
        ("line_a.lathe.capacity", "Line_A.lathe.capacity"),
        ("Line_A.capacity", "Line_A.lathe.capacity"),
        ("Line_A.lathe.milling.men", "Line_A.lathe.milling.mean"),
    ],
)
def test_the_nearest_path_is_named(tree, path, nearest) -> None:
    message = str(tree.unknown(path))
    assert message.startswith(f"{path}: no such path; the nearest: ")
    assert nearest in message


def test_a_misspelt_name_is_found_among_thousands_of_paths() -> None:
    tree = ParameterTree()
    for number in range(300):
        tree.add(f"Line_{number}", Line())
    assert "Line_250.lathe.capacity" in str(tree.unknown("Line_250.lath.capacity"))
    assert "Line_250.lathe.capacity" in str(tree.unknown("Line_250.lathe.capacty"))


def test_where_nothing_is_near_some_that_exist_are_named(tree) -> None:
    assert "there are Line_A.speed, Line_A.lathe.capacity, " in str(tree.unknown("zzz"))


def test_a_group_is_named_with_its_fields(tree) -> None:
    assert str(tree.unknown("Line_A.lathe")) == (
        "Line_A.lathe: a group of parameters, not one of them; it has capacity, milling"
    )


def test_a_long_list_of_fields_is_cut() -> None:
    fields = {f"field_{number}": (int, 0) for number in range(100)}
    tree = ParameterTree()
    tree.add("Wide", create_model("Wide", __base__=SimParameter, **fields)())
    message = str(tree.unknown("Wide"))
    assert message.endswith("field_19, …")


def test_an_empty_registry_says_so() -> None:
    assert "no parameters are registered" in str(ParameterTree().unknown("A.b"))


@pytest.mark.parametrize("path", [3, None, ["Line_A"], {}, 10**5000], ids=type)
def test_what_is_no_text_is_no_path(tree, path) -> None:
    error = tree.unknown(path)
    assert isinstance(error, UnknownPathError)
    assert "a path is a text, not" in str(error)


@pytest.mark.parametrize(
    "path", ["", ".", "..", "x" * 1_000_000, "." * 1_000_000, "\n\x00"], ids=len
)
def test_a_strange_path_is_shown_in_short(tree, path) -> None:
    assert len(str(tree.unknown(path))) < 500
    assert "\n" not in str(tree.unknown(path))
