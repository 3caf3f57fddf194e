from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from despatch.plugins.requirements import Unmet, unmet

NOTHING = "[console_scripts]\n"


@pytest.fixture
def unmet_of(install):
    install("acme-client", NOTHING, version="2.1", requires=['acme-fast>=3; extra == "fast"'])
    install("acme-draft", NOTHING, version="3.0.dev1", requires=[])
    install("acme-odd", NOTHING, version="of-today", requires=[])

    def of(*texts):
        return list(unmet(map(Requirement, texts)))

    return of


@pytest.mark.parametrize(
    "text",
    [
        "acme-client",
        "Acme.Client>=2,<3",
        "acme-draft>=2",
        # What is no version cannot be held against anything.
        "acme-odd>=1",
        # The core's own version is judged elsewhere.
        "despatch>=99",
        "acme-client @ https://example.org/acme-client.whl",
    ],
)
def test_what_is_installed_meets_a_requirement(unmet_of, text):
    assert unmet_of(text) == []


def test_what_is_missing_is_told_as_pip_takes_it(unmet_of):
    (found,) = unmet_of("acme-none[tls]>=1; python_version >= '3'")
    assert found == Unmet("acme-none[tls]>=1", "")
    assert found.reason == "it requires acme-none[tls]>=1, which is not installed"


def test_another_version_is_told_with_what_is_there(unmet_of):
    (found,) = unmet_of("acme-client>=3")
    assert found.reason == "it requires acme-client>=3, and acme-client 2.1 is installed"


def test_an_extra_that_is_asked_for_brings_its_own_requirements(unmet_of):
    assert unmet_of("acme-client[fast]") == [Unmet("acme-fast>=3", "")]
    assert unmet_of("acme-client[slow]") == []


def test_an_extra_of_the_core_is_looked_at(unmet_of):
    (metrics,) = unmet_of("despatch[metrics]") or [Unmet("prometheus-client>=0.20", "")]
    assert metrics.requirement == "prometheus-client>=0.20"


def test_extras_that_ask_for_each_other_have_an_end(install, unmet_of):
    requires = ['acme-ring[a]; extra == "b"', 'acme-ring[b]; extra == "a"']
    install("acme-ring", NOTHING, requires=requires)
    assert unmet_of("acme-ring[a]") == []


def test_what_a_requirement_requires_itself_is_its_own_affair(install, unmet_of):
    install("acme-deep", NOTHING, requires=["acme-none"])
    assert unmet_of("acme-deep") == []
