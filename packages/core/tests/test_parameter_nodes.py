from __future__ import annotations

from typing import Generic, TypeVar

import pytest

from despatch import Distribution, Normal, SimParameter
from despatch.registry.parameter_nodes import Group, Parameter, grown


class Lathe(SimParameter):
    capacity: int = 1
    milling: Distribution = Normal(mean=3.0, std=0.5)


class Line(SimParameter):
    speed: float = 1.0
    lathe: Lathe = Lathe()


def grow(model):
    return grown("Line_A", "Line_A", None, model)


def test_a_tree_has_a_node_for_each_field() -> None:
    line = grow(Line())
    lathe = line.children["lathe"]
    assert isinstance(lathe, Group)
    assert (lathe.path, lathe.name, lathe.parent, lathe.depth) == ("Line_A.lathe", "lathe", line, 1)
    assert list(line.children) == ["speed", "lathe"]
    milling = lathe.children["milling"]
    assert isinstance(milling, Parameter)
    assert (milling.path, milling.group) == ("Line_A.lathe.milling", lathe)
    assert milling.coerce.is_distribution


def test_a_nested_model_may_be_of_a_subclass() -> None:
    class BigLathe(Lathe):
        power: float = 9.0

    lathe = grow(Line(lathe=BigLathe())).children["lathe"]
    assert isinstance(lathe, Group)
    assert list(lathe.children) == ["capacity", "milling", "power"]


def test_a_generic_model_has_the_types_it_was_given() -> None:
    kind = TypeVar("kind")

    class Box(SimParameter, Generic[kind]):
        content: kind

    content = grow(Box[float](content=1.0)).children["content"]
    assert isinstance(content, Parameter)
    assert content.coerce("2") == 2.0


@pytest.mark.parametrize("annotation", [list[int], Lathe | None, dict[str, float], object])
def test_a_field_that_cannot_be_live_is_named(annotation) -> None:
    class Wrong(SimParameter, validate_default=False):
        parts: annotation = None

    with pytest.raises(TypeError, match=r"Wrong\.parts: .*cannot change while a model runs"):
        grow(Wrong())


def test_a_model_that_was_thawed_is_refused() -> None:
    class Thawed(SimParameter, frozen=False):
        capacity: int = 1

    with pytest.raises(TypeError, match="Thawed: a SimParameter must stay frozen"):
        grow(Thawed())
