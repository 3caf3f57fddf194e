"""The pytest plugin of the conformance kit, in sessions of pytest of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import pytest
from despatch.plugins import Kind
from despatch.testing import Conformance, applies_if

class Suite(Conformance):
    kind = Kind.SERIALIZERS
    plugin = "json"
    is_fast = False

    @pytest.fixture
    def settings(self):
        return {}

    @applies_if("is_fast")
    def test_of_fast_ones(self):
        assert False

    def test_of_all(self):
        assert self.is_good
"""


def run(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    pytester.makepyfile(suite=SUITE)
    pytester.makepyfile(f"from suite import Suite\n\nclass TestJson(Suite):\n{body}")
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-k", "test_of")


def test_a_test_whose_flag_is_off_does_not_apply_and_is_counted(pytester: pytest.Pytester) -> None:
    result = run(pytester, "    is_good = True\n")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["does not apply: 1 tests, TestJson: is_fast = False"])


def test_a_test_whose_flag_is_on_is_run(pytester: pytest.Pytester) -> None:
    result = run(pytester, "    is_good = is_fast = True\n")
    result.assert_outcomes(passed=1, failed=1)


def test_a_waived_test_is_expected_to_fail_and_its_reason_is_shown(
    pytester: pytest.Pytester,
) -> None:
    waivers = '    waivers = {"test_of_all": "it is what it is"}\n'
    result = run(pytester, f"    is_good = False\n{waivers}")
    result.assert_outcomes(xfailed=1)
    result.stdout.fnmatch_lines(["waived: *::TestJson::test_of_all: it is what it is"])


def test_a_waived_test_that_passes_fails(pytester: pytest.Pytester) -> None:
    waivers = '    waivers = {"test_of_all": "it is what it is"}\n'
    result = run(pytester, f"    is_good = True\n{waivers}")
    result.assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("waivers", "message"),
    [
        ('{"test_of_nothing": "why"}', "*names 'test_of_nothing', and there is no such test"),
        ('{"test_of_all": " "}', "*gives no reason for 'test_of_all'"),
    ],
)
def test_a_waiver_that_makes_no_sense_is_refused(
    pytester: pytest.Pytester, waivers: str, message: str
) -> None:
    result = run(pytester, f"    is_good = True\n    waivers = {waivers}\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_the_plugin_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n\ndef test():\n"
        "    assert 'despatch.pytest_plugin' in sys.modules\n"
        "    loaded = {'simpy', 'pydantic', 'despatch.plugins', 'despatch.testing'}\n"
        "    assert not loaded & set(sys.modules)\n"
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
