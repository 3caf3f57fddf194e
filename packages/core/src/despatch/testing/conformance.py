"""Conformance: what the tests for every kind of plugin have in common."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, ClassVar, TypeVar

import pytest
from pydantic import BaseModel, ValidationError

from despatch.plugins import Kind, Plugin, Plugins, Status
from despatch.plugins.describing import describe
from despatch.testing.loops import run_to_end
from despatch.testing.secrecy import secrets_shown, unprotected, with_secrets

__all__ = ["Conformance", "applies_if"]

_T = TypeVar("_T")
_Test = TypeVar("_Test", bound=Callable[..., Any])


def applies_if(*flags: str) -> Callable[[_Test], _Test]:
    """A test of a suite applies only to plugins whose class of tests has all these flags set."""

    def mark(test: _Test) -> _Test:
        marked: _Test = pytest.mark.despatch_applies_if(*flags)(test)
        return marked

    return mark


class Conformance:
    """The tests that a plugin of any kind passes. Subclasses are for one kind each.

    Attributes:
        kind: The kind of plugin; the class for the kind sets it.
        plugin: The name of the plugin's entry point, as a settings file says it.
        waivers: Name of a test to the reason why the plugin is not expected to pass it. The test
            runs all the same, and its reason is shown; once it passes, the waiver has to go.
        patience_s: How long the tests wait for what has to come, in wall seconds.
    """

    kind: ClassVar[Kind]
    plugin: ClassVar[str]
    waivers: ClassVar[Mapping[str, str]] = {}
    patience_s: ClassVar[float] = 30.0

    __despatch_conformance__: ClassVar[bool] = True

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        """The plugin's own settings, as a settings file says them; overridden by the author."""
        raise NotImplementedError(f"{type(self).__name__} has no fixture `settings`")

    @pytest.fixture
    def secret_settings(self, plugin_class: Any, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings, with a secret in each that may hold one.

        Overridden by the author where it takes more than a text, such as a URL with a password,
        or a user beside it.
        """
        return with_secrets(plugin_class.Settings, settings)

    @pytest.fixture
    def installed(self) -> Plugin:
        """What the metadata of the plugin's distribution says."""
        return _installed(self.kind, self.plugin)

    @pytest.fixture
    def plugin_class(self, installed: Plugin) -> Any:
        """The plugin's class, found and loaded as a run finds and loads it."""
        return _loaded(self.kind, self.plugin)

    def made(self, plugin_class: Any, settings: BaseModel) -> Any:
        """The plugin, made of its settings as the core makes it."""
        return plugin_class(settings)

    def texts_of(self, plugin: Any) -> Sequence[str]:
        """What the plugin says of itself, to whoever asks."""
        return [repr(plugin), str(plugin)]

    async def try_out(self, plugin: Any) -> None:
        """Use the plugin as a run uses it first; an error is no failure of the test."""
        async with self.opened(plugin):
            pass

    def wait_for(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on a watched loop to its end."""
        return run_to_end(work, 4 * self.patience_s)

    async def in_time(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await what may hang.

        Raises:
            AssertionError: It has not come to its end within `patience_s`.
        """
        limit = asyncio.timeout(self.patience_s)
        try:
            async with limit:
                return await work
        except TimeoutError:
            assert not limit.expired(), f"no end within {self.patience_s:g} s"
            raise

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for a condition."""
        try:
            async with asyncio.timeout(self.patience_s):
                while not is_so():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{what} did not come within {self.patience_s:g} s") from None

    @asynccontextmanager
    async def opened(self, plugin: Any) -> AsyncIterator[Any]:
        """Opens a plugin, and closes it however the block is left."""
        try:
            await self.in_time(plugin.open())
            yield plugin
        finally:
            await self.in_time(plugin.close())

    def test_is_installed_and_ready(self, installed: Plugin) -> None:
        """A run finds the plugin by its name, and nothing in its metadata speaks against it.

        If it fails: the message says what is wrong. Look at the entry points in
        ``pyproject.toml``; after changing them, install the distribution again.
        """
        assert installed.status is Status.READY, installed.explanation

    def test_says_which_despatch_it_works_with(self, installed: Plugin) -> None:
        """The distribution requires a range of despatch, so that it is never loaded by another.

        If it fails: add ``despatch>=X.Y,<X.Z`` to ``dependencies`` in ``pyproject.toml``.
        """
        assert not installed.warning, installed.warning

    def test_is_documented(self, installed: Plugin, plugin_class: Any) -> None:
        """The class and every setting say what they are; ``plugins describe`` shows it.

        If it fails: give the class a docstring, and say of each setting what it is: under
        ``Attributes:`` in the model's docstring, or in a ``Field(description=...)``.
        """
        missing = describe(installed, plugin_class).undocumented
        assert not missing, "\n".join(missing)

    def test_settings_are_accepted(self, plugin_class: Any, settings: Mapping[str, Any]) -> None:
        """The settings that the tests use are such as the plugin takes.

        If it fails: the fixture ``settings`` and the settings model disagree.
        """
        plugin_class.Settings.model_validate(settings)

    def test_an_unknown_setting_is_refused(
        self, plugin_class: Any, settings: Mapping[str, Any]
    ) -> None:
        """A setting that is misspelt is found before a run, not passed over.

        If it fails: set ``model_config = ConfigDict(extra="forbid")`` in the settings model.
        """
        with pytest.raises(ValidationError):
            plugin_class.Settings.model_validate({**settings, "no_such_setting_at_all": 1})

    def test_settings_come_back_from_their_own_form(
        self, plugin_class: Any, settings: Mapping[str, Any]
    ) -> None:
        """What settings say of themselves makes the same settings again.

        If it fails: a validator takes something else than what it gives. Let it pass what is in
        the right form already.
        """
        made = plugin_class.Settings.model_validate(settings)
        said = made.model_dump(by_alias=True, exclude_unset=True)
        assert plugin_class.Settings.model_validate(said) == made

    def test_secrets_are_not_shown(
        self, plugin_class: Any, secret_settings: Mapping[str, Any]
    ) -> None:
        """Who prints or dumps the settings sees no secret.

        If it fails: a setting that is a password, a token or the like is a `SecretStr`, and so
        is a URL that may hold one. Take its value out where you hand it to your client library.
        """
        model = plugin_class.Settings
        bare = unprotected(model)
        assert not bare, f"secrets by their names, and not by their types: {', '.join(bare)}"
        made = model.model_validate(secret_settings)
        for shown in (repr(made), str(made), repr(made.model_dump()), made.model_dump_json()):
            assert not secrets_shown(made, shown)

    def test_no_secret_is_in_an_error_or_a_log(
        self,
        plugin_class: Any,
        secret_settings: Mapping[str, Any],
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """What goes wrong is told without the secrets that it went wrong with.

        If it fails: the message shows what was said, with asterisks for the secret. Do not put
        settings, URLs or whole requests into errors; and look at what your client library logs.
        What libraries say to debuggers does not count: no run shows it.
        """
        settings = plugin_class.Settings.model_validate(secret_settings)
        plugin = self.made(plugin_class, settings)
        said = [*self.texts_of(plugin)]

        async def work() -> None:
            try:
                await self.try_out(plugin)
            except AssertionError:
                raise
            except Exception as error:
                said.append("".join(traceback.format_exception(error)))

        with caplog.at_level(logging.DEBUG):
            self.wait_for(work())
        package, _, _ = plugin_class.__module__.partition(".")
        said += [
            caplog.handler.format(record)
            for record in caplog.records
            if record.levelno > logging.DEBUG or record.name.partition(".")[0] == package
        ]
        shown = secrets_shown(settings, "\n".join([*said, *capfd.readouterr()]))
        assert not shown, shown


# Reading the metadata of all that is installed takes longer than most tests.


@cache
def _installed(kind: Kind, plugin: str) -> Plugin:
    return Plugins().find(kind, plugin)


@cache
def _loaded(kind: Kind, plugin: str) -> Any:
    return Plugins().load(kind, plugin)
