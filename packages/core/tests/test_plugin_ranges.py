from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from despatch.plugins import ranges


def allow(specifiers, version):
    return ranges.allow([Requirement(f"despatch{specifiers}")], Version(version))


@pytest.mark.parametrize(
    ("version", "written_for_0_1", "written_for_0_2"),
    [
        ("0.1.0", True, False),
        ("0.1.0+local", True, False),
        ("0.1.0.post1", True, False),
        ("0.1.0.dev5", True, False),
        ("0.1.1.dev1", True, False),
        ("0.1.9rc1+g1234.dirty", True, False),
        ("0.2.0.dev3", False, True),
        ("0.2.0a1", False, True),
        ("0.2.0rc1", False, True),
        ("0.2.0rc1.dev7", False, True),
        ("0.2.0", False, True),
        ("0.2.0.post1.dev2", False, True),
        ("0.2.1.dev3+g1234", False, True),
        ("0.3.0.dev1", False, False),
        ("0.3.0rc1", False, False),
        ("1!0.1.0", False, False),
    ],
)
def test_a_version_belongs_to_its_release(version, written_for_0_1, written_for_0_2):
    assert allow(">=0.1,<0.2", version) is written_for_0_1
    assert allow("~=0.1.0", version) is written_for_0_1
    assert allow("==0.1.*", version) is written_for_0_1
    assert allow(">=0.2,<0.3", version) is written_for_0_2


@pytest.mark.parametrize(
    ("specifiers", "version", "allowed"),
    [
        (">=0.2.0.dev3,<0.3", "0.2.0.dev3", True),
        (">=0.2.0.dev3,<0.3", "0.2.0.dev2", False),
        (">=0.2.0.dev3,<0.3", "0.2.0", True),
        (">=0.2.0rc1,<0.3", "0.2.0.dev3", False),
        (">=0.2.dev0,<0.3", "0.2.0rc1", True),
        (">=0.2.dev0,<0.3", "0.3.0.dev1", False),
        (">=0.1.dev1", "0.2.0.dev3", True),
        (">=0.1.dev1,<0.2", "0.2.0.dev3", False),
        (">=0.1.dev1,<0.2", "0.1.0", True),
        (">=0.1,<0.2.dev0", "0.1.9", True),
        (">=0.1.0.post2", "0.1.0.post1", False),
        (">=0.1.0.post2", "0.1.0.post2", True),
        (">=0.1.0.post2", "0.1.0", False),
        ("==0.2.0.dev3", "0.2.0.dev3", True),
        ("==0.2.0.dev3", "0.2.0", False),
        ("==0.1.0+local", "0.1.0+local", True),
        ("==0.1.0+local", "0.1.0", False),
        ("!=0.1.0rc1", "0.1.0", True),
        ("===0.1.0-nonsense", "0.1.0", False),
        ("===0.1.0", "0.1.0", True),
    ],
)
def test_a_bound_that_names_such_a_version_means_that_one(specifiers, version, allowed):
    assert allow(specifiers, version) is allowed


def test_every_requirement_and_every_bound_has_to_hold():
    requirements = [Requirement("despatch>=0.1"), Requirement("despatch!=0.1.5,<0.2")]
    assert ranges.allow(requirements, Version("0.1.4"))
    assert not ranges.allow(requirements, Version("0.1.5"))
    assert not ranges.allow(requirements, Version("0.2"))


def test_no_bound_allows_all():
    assert allow("", "0.0.1.dev1")
    assert ranges.allow([], Version("99"))


parts = st.integers(0, 3)
suffixes = st.sampled_from(["", "a1", "rc2", ".dev3", ".post1", "+local.1", "rc1.dev2+g12"])


@given(parts, parts, parts, suffixes, parts)
def test_a_minor_up_to_the_next_is_exactly_what_begins_with_it(major, minor, micro, suffix, wanted):
    version = f"{major}.{minor}.{micro}{suffix}"
    is_of_it = (major, minor) == (1, wanted)
    assert allow(f">=1.{wanted},<1.{wanted + 1}", version) is is_of_it
