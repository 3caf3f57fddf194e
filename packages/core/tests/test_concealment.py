from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from despatch.concealment import Concealer
from despatch.settings.references import HIDDEN


class Inner(BaseModel):
    token: SecretBytes
    many: list[SecretStr] = []


class Settings(BaseModel):
    host: str = "db.internal"
    password: SecretStr | None = None
    inner: Inner | None = None
    by_name: dict[str, Any] = {}


@pytest.fixture
def conceal():
    return Concealer()


def test_a_text_without_secrets_is_as_it_was(conceal):
    assert conceal("hunter2 at db.internal") == "hunter2 at db.internal"


def test_a_secret_is_taken_out_and_nothing_else(conceal):
    conceal.learn(Settings(password="hunter2"))
    assert conceal("me:hunter2@db.internal, hunter2") == f"me:{HIDDEN}@db.internal, {HIDDEN}"


def test_secrets_are_found_at_any_depth(conceal):
    conceal.learn(
        Settings(
            inner=Inner(token=b"tokentoken", many=["first-one", "other-one"]),
            by_name={"a": [Secret({"b": SecretStr("deep-down")})]},
        )
    )
    conceal.learn(Settings(inner=Inner(token=b"another")))
    for secret in ("tokentoken", "first-one", "other-one", "another"):
        assert conceal(f"<{secret}>") == f"<{HIDDEN}>"


def test_the_longer_of_two_is_taken_out_as_a_whole(conceal):
    conceal.learn(Settings(inner=Inner(token=b"hunter2", many=["hunter2-and-more"])))
    assert conceal("hunter2-and-more") == HIDDEN


def test_the_password_of_a_url_is_taken_out_in_each_spelling_and_its_host_is_kept(conceal):
    conceal.learn(Settings(password="redis://me:hun%2Fter@db.internal:6379/0"))
    said = conceal("redis://me:hun%2Fter@db.internal:6379/0: hun%2Fter, hun/ter at db.internal")
    assert said == f"{HIDDEN}: {HIDDEN}, {HIDDEN} at db.internal"


def test_a_value_among_others_is_taken_out(conceal):
    conceal.learn(Settings(password="id=me&client_secret=hunter22"))
    assert conceal("client_secret hunter22 of me") == f"client_secret {HIDDEN} of me"


def test_what_is_as_short_as_a_word_is_left(conceal):
    conceal.learn(Settings(password="at"))
    assert conceal("at db.internal") == "at db.internal"


def test_a_url_that_is_none_is_concealed_as_a_whole(conceal):
    conceal.learn(Settings(password="http://[hunter2"))
    assert conceal("no URL: http://[hunter2") == f"no URL: {HIDDEN}"
