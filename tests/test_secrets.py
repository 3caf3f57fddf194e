"""Secrets are planted wherever a plugin takes one, and looked for in all that despatch lets out."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel, SecretStr
from typer.testing import CliRunner

from despatch.cli import app
from despatch.plugins import Kind, Plugins
from processes import CommandLines, finish, wait_until

MODEL = """
import itertools
from pathlib import Path

from despatch import SimParameter

class Desk(SimParameter):
    staff: int = 1

def build(env):
    env.registry.register("Desk", Desk())

    def go():
        for number in itertools.count():
            if number >= int(Path("ticks").read_text()):
                break
            env.publish_event(f"part-{number}", {"number": number})
            yield env.timeout(0.1)
        raise KeyError("a mistake of the model's")

    env.process(go())
"""
SETTINGS = """
name: line
model: line:build
clock: {{factor: 1.0}}
courier: {{grace: 1s, connect_timeout: 2s}}
logs: {{level: debug, format: {format}}}
metrics: {{port: {metrics}}}
executor: {{name: ray, address: "127.0.0.1:{closed}",
  runtime_env: {{env_vars: {{TOKEN: "${{RAY_TOKEN}}"}}}}}}
ingress:
  - {{connector: redis, url: "redis://user:${{REDIS_IN}}@127.0.0.1:{closed}/0", stream: s}}
  - connector: kafka
    bootstrap_servers: 127.0.0.1:{closed}
    topic: commands
    security_protocol: SASL_PLAINTEXT
    sasl_mechanism: PLAIN
    sasl_username: user
    sasl_password: ${{KAFKA_IN}}
    serializer: {{name: avro, registry: {{url: "http://127.0.0.1:{closed}", username: user,
      password: "${{REGISTRY_IN}}"}}}}
  - connector: kafka
    name: kafka-ssl-in
    bootstrap_servers: 127.0.0.1:{closed}
    topic: commands
    security_protocol: SSL
    ssl_certfile: /none/client.pem
    ssl_password: ${{KAFKA_SSL_IN}}
egress:
  - {{connector: jsonl, path: out.jsonl}}
  - {{connector: redis, url: "${{REDIS_URL}}", batch: {{interval: 10ms}}, retry: {{initial: 5ms}}}}
  - connector: kafka
    bootstrap_servers: 127.0.0.1:{closed}
    security_protocol: SASL_PLAINTEXT
    sasl_mechanism: SCRAM-SHA-512
    sasl_username: user
    sasl_password: "${{file:{folder}/kafka_out}}"
    serializer: {{name: avro, glue: {{region: eu-west-1, endpoint_url: "http://127.0.0.1:{closed}",
      access_key_id: "${{GLUE_ID}}", secret_access_key: "${{GLUE_KEY}}",
      session_token: "${{GLUE_TOKEN}}"}}}}
  - connector: kafka
    name: kafka-ssl
    bootstrap_servers: 127.0.0.1:{closed}
    security_protocol: SSL
    ssl_certfile: {folder}/broken.pem
    ssl_password: ${{KAFKA_SSL_OUT}}
    serializer: {{name: avro, registry: {{url: "http://127.0.0.1:{closed}", username: user,
      password: "${{REGISTRY_OUT}}"}}}}
  - connector: parquet
    name: s3
    uri: s3://lake/line
    endpoint_url: http://127.0.0.1:{closed}
    region: eu-west-1
    access_key_id: ${{S3_ID}}
    secret_access_key: ${{S3_KEY}}
    session_token: ${{S3_TOKEN}}
  - {{connector: parquet, name: gs, uri: "gs://lake/line", uri_options: "${{GS_OPTIONS}}"}}
  - {{connector: sql, url: "postgresql://user:${{SQL}}@127.0.0.1:{closed}/factory"}}
"""
S3 = """uri: s3://lake/line, endpoint_url: "http://127.0.0.1:{closed}", region: eu-west-1,
    access_key_id: "${{S3_ID}}", secret_access_key: "${{S3_KEY}}", session_token: "${{S3_TOKEN}}"
"""
# A run has one source of its state, and does not begin without.
STATES = {
    "redis": 'url: "redis://user:${{REDIS_IN}}@127.0.0.1:{closed}/0", parameters: line',
    "sql": 'url: "postgresql://user:${{SQL}}@127.0.0.1:{closed}/plan", parameters: SELECT 1',
    "parquet": S3,
    # Another of its ways to a store.
    "parquet ": 'uri: "gs://lake/line", uri_options: "${{GS_OPTIONS}}"',
}
IN_ENVIRONMENT = [
    *("REDIS_IN", "KAFKA_IN", "REGISTRY_IN", "KAFKA_SSL_IN", "REDIS_URL", "GLUE_ID", "GLUE_KEY"),
    *("GLUE_TOKEN", "KAFKA_SSL_OUT", "REGISTRY_OUT", "S3_ID", "S3_KEY", "S3_TOKEN", "GS_OPTIONS"),
    *("SQL", "RAY_TOKEN"),
]


class Plantation:
    """A folder with a settings file full of secrets, and what despatch has let out of them."""

    def __init__(self, folder: Path, closed: int, metrics: int) -> None:
        self.folder = folder
        self._ports = {"closed": closed, "metrics": metrics}
        self.secrets = {name: f"Pl4nted-{name}" for name in [*IN_ENVIRONMENT, "KAFKA_OUT"]}
        self.environment = {name: self.secrets[name] for name in IN_ENVIRONMENT}
        password = self.secrets["REDIS_URL"]
        self.environment["REDIS_URL"] = f"redis://user:{password}%40%2F@127.0.0.1:{closed}/1"
        self.environment["GS_OPTIONS"] = self.secrets["GS_OPTIONS"]
        (folder / "kafka_out").write_text(self.secrets["KAFKA_OUT"])
        (folder / "broken.pem").write_text("no certificate")
        self.lines = CommandLines(folder, **self.environment)
        self.let_out: dict[str, str] = {}

    def write(self, *, ticks=30, format="text", change=lambda settings: settings, of=SETTINGS):
        (self.folder / "line.py").write_text(MODEL)
        self.end_after(ticks)
        settings = of.format(folder=self.folder, format=format, **self._ports)
        (self.folder / "line.yaml").write_text(change(settings))

    def end_after(self, ticks):
        """Have the model make its mistake after so many records, or now where there are more."""
        beside = self.folder / "ticks.new"
        beside.write_text(str(ticks))
        beside.rename(self.folder / "ticks")

    def despatch(self, *arguments):
        status, out, err = self.lines.run(*arguments)
        self.let_out[" ".join(arguments)] = out + err
        return status, out, err

    def check(self, monkeypatch):
        """What ``despatch check`` says, in this process."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(self.folder)
        result = CliRunner().invoke(app, ["check", "line.yaml"])
        self.let_out["check line.yaml"] = result.output + repr(result.exception)
        return result.exit_code, result.stderr

    def look(self):
        """Where secrets came out."""
        # What the user wrote for despatch is the user's.
        own = {self.folder / name for name in ("line.yaml", "kafka_out")}
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in own and "__pycache__" not in path.parts:
                self.let_out[str(path)] = path.read_bytes().decode(errors="replace")
        return {
            f"{name} in {where}"
            for where, text in self.let_out.items()
            for name, secret in self.secrets.items()
            if secret in text
        }


@pytest.fixture
def plantation(tmp_path):
    with socket.socket() as closed, socket.socket() as free:
        closed.bind(("127.0.0.1", 0))  # and nobody listens there
        free.bind(("127.0.0.1", 0))
        metrics = free.getsockname()[1]
        free.close()
        planted = Plantation(tmp_path, closed.getsockname()[1], metrics)
        yield planted
        planted.lines.close()


def secret_fields(model, prefix=""):
    """The settings of a model that hold a secret, dotted."""
    for name, field in model.model_fields.items():
        for part in parts_of(field.annotation):
            if part is SecretStr:
                yield f"{prefix}{name}"
            elif isinstance(part, type) and issubclass(part, BaseModel):
                yield from secret_fields(part, f"{prefix}{name}.")


def parts_of(annotation):
    if get_origin(annotation) is None:
        return [annotation]
    return [part for each in get_args(annotation) for part in parts_of(each)]


def test_every_setting_that_holds_a_secret_has_one_planted():
    plugins = Plugins()
    fields = {
        f"{plugin.kind}.{plugin.name}.{field}"
        for plugin in plugins.list()
        if plugin.kind is not Kind.HOOKS
        for field in secret_fields(plugins.load(plugin.kind, plugin.name).Settings)
    }
    assert fields == {
        "ingress.redis.url",
        "egress.redis.url",
        "ingress.kafka.sasl_password",
        "ingress.kafka.ssl_password",
        "egress.kafka.sasl_password",
        "egress.kafka.ssl_password",
        "egress.sql.url",
        "states.redis.url",
        "states.sql.url",
        "states.parquet.uri_options",
        "states.parquet.access_key_id",
        "states.parquet.secret_access_key",
        "states.parquet.session_token",
        "egress.parquet.uri_options",
        "egress.parquet.access_key_id",
        "egress.parquet.secret_access_key",
        "egress.parquet.session_token",
        "serializers.avro.registry.password",
        "serializers.avro.glue.access_key_id",
        "serializers.avro.glue.secret_access_key",
        "serializers.avro.glue.session_token",
        "executors.ray.runtime_env.env_vars",
    }, "plant a secret in SETTINGS for what is new here"


def test_no_secret_comes_out_of_a_run_that_goes_wrong(plantation):
    plantation.write(format="json", ticks=10_000)
    assert plantation.despatch("check", "line.yaml")[0] == 0
    process = plantation.lines.start("run", "line.yaml", "--json", "--report", "report.json")
    url = f"http://127.0.0.1:{plantation._ports['metrics']}/metrics"

    def every_sink_fails():
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            return None
        failing = 'despatch_sink_state{{sink="{}",state="retrying"}} 1.0'
        names = ("redis", "kafka", "kafka-ssl", "s3", "gs", "sql")
        return text if all(failing.format(name) in text for name in names) else None

    plantation.let_out["metrics"] = wait_until(every_sink_fails, "a failure of every sink")
    plantation.end_after(0)
    status, out, err = finish(process)
    plantation.let_out["run"] = out + err
    assert status == 1
    assert "a mistake of the model's" in err
    report = json.loads(out)
    assert report["owed"] == report["published"] * 6 > 0
    plantation.despatch("runs", "list", "--json")
    plantation.despatch("runs", "list")
    plantation.despatch("runs", "deliver", "--json")
    plantation.despatch("dead-letters", "list", "--json")
    plantation.despatch("plugins", "list", "--json")
    plantation.end_after(report["published"])
    plantation.despatch("replay", report["run_id"])
    assert plantation.look() == set()


@pytest.mark.parametrize("source", STATES)
def test_no_secret_comes_out_of_a_state_that_cannot_be_read(plantation, source):
    state = f"state: {{{{source: {source.strip()}, timeout: 5s, {STATES[source]}}}}}\n"
    plantation.write(of=f"name: line\nmodel: line:build\nlogs: {{{{level: debug}}}}\n{state}")
    assert plantation.despatch("check", "line.yaml")[0] == 0
    assert plantation.despatch("doctor", "line.yaml")[0] == 1
    status, _, err = plantation.despatch("run", "line.yaml")
    assert status == 2
    assert f"state source {source.strip()!r}" in err
    assert plantation.look() == set()


STRANGER = """
import logging
from despatch.interfaces import EgressConnector, Guarantee, Receipt
from pydantic import BaseModel, SecretStr
from typer.testing import CliRunner

class Settings(BaseModel):
    password: SecretStr
    rejects: bool = False

class Sink(EgressConnector):
    Settings = Settings
    guarantee = Guarantee.AT_LEAST_ONCE

    @property
    def told(self):
        return f"the password is {self.settings.password.get_secret_value()}"

    async def open(self):
        logging.getLogger("stranger").warning(self.told)
        if not self.settings.rejects:
            raise ConnectionError(self.told)

    async def deliver(self, batch):
        return Receipt({index: self.told for index in range(len(batch))})

    async def close(self): ...

    async def check(self, targets):
        raise ConnectionError(self.told)
"""


def test_no_secret_comes_out_of_a_plugin_that_tells_it(plantation):
    info = plantation.folder / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[despatch.egress]\nstranger = stranger:Sink\n")
    (plantation.folder / "stranger.py").write_text(STRANGER)
    plantation.lines.close()
    plantation.lines = CommandLines(
        plantation.folder, **plantation.environment, PYTHONPATH=str(plantation.folder)
    )
    plantation.write(ticks=3)
    settings = plantation.folder / "line.yaml"
    sink = "{connector: stranger, password: '${S3_KEY}'}"
    letters = "{connector: stranger, name: letters, rejects: true, password: '${S3_KEY}'}"
    head = settings.read_text().partition("ingress:")[0]
    settings.write_text(f"{head}egress: [{sink}, {letters}]\n")
    assert plantation.despatch("doctor", "line.yaml")[0] == 1
    assert "the password is ****" in plantation.let_out["doctor line.yaml"]
    status, _, err = plantation.despatch("run", "line.yaml")
    assert status == 1
    assert "sink stranger: retrying: ConnectionError: the password is ****" in err
    plantation.despatch("runs", "list", "--json")
    plantation.despatch("dead-letters", "list", "--json")
    plantation.despatch("runs", "deliver")
    assert plantation.look() == set()


def test_no_secret_comes_out_of_the_doctor(plantation):
    plantation.write()
    status, out, _ = plantation.despatch("doctor", "line.yaml", "--json")
    assert status == 1
    assert sum(bool(each["fault"]) for each in json.loads(out)) == 10
    plantation.despatch("doctor", "line.yaml")
    assert plantation.look() == set()


WRONG = {
    "keys misspelt": lambda text: text.replace("password:", "passwrd:").replace("url:", "urll:"),
    "a list": lambda text: text.replace("${KAFKA_IN}", '["${KAFKA_IN}"]').replace(
        '"${REDIS_URL}"', '{a: "${REDIS_URL}"}'
    ),
    "a URL that is none": lambda text: text.replace("redis://", "redsi://").replace(
        "http://127", "htp://user:${REGISTRY_IN}@127"
    ),
    "a login without an encryption": lambda text: text.replace("SASL_PLAINTEXT", "PLAINTEXT"),
    "no YAML": lambda text: text + "\n  - {connector: [\n",
}


# Here a reference stands where a value is otherwise shown.
MISPLACED = {
    "in another's place": lambda text: (
        text.replace("batch: {", "batch: {records: '${REDIS_URL}',")
        .replace("stream: s", "stream: s, claim_idle: '${KAFKA_IN}', name: '${S3_KEY}'")
        .replace("topic: commands", "topic: '{${KAFKA_IN}}'")
        .replace("region: eu-west-1\n", "region: eu-west-1\n    compression: '${S3_KEY}'\n")
        .replace("factor: 1.0", "factor: '${S3_TOKEN}'")
        .replace("level: debug", "level: '${KAFKA_SSL_OUT}'")
    ),
    "no model": lambda text: text.replace("line:build", "'${S3_KEY}:${S3_TOKEN}'"),
    "no plugin": lambda text: text.replace("connector: parquet", "connector: '${S3_KEY}'").replace(
        "name: avro", "name: '${REGISTRY_IN}'"
    ),
}


@pytest.mark.parametrize("change", [*WRONG.values(), *MISPLACED.values()], ids=[*WRONG, *MISPLACED])
def test_no_secret_comes_out_of_settings_that_are_wrong(plantation, monkeypatch, change):
    plantation.write(change=change)
    status, err = plantation.check(monkeypatch)
    assert (status, "line.yaml:" in err) == (2, True), err
    assert plantation.look() == set()


@pytest.mark.parametrize("command", ["doctor", "run"])
def test_no_command_lets_a_secret_out_of_settings_that_are_wrong(plantation, command):
    plantation.write(change=WRONG["a URL that is none"])
    assert plantation.despatch(command, "line.yaml")[0] == 2
    assert plantation.look() == set()


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_no_secret_that_stands_in_the_file_itself_is_quoted(plantation, monkeypatch, change):
    # A reference is better practice; but a screen that shows a mistake may have onlookers.
    def literal(text):
        text = change(text)
        for name in IN_ENVIRONMENT:
            text = text.replace(f"${{{name}}}", plantation.environment[name])
        return text

    plantation.write(change=literal)
    assert plantation.check(monkeypatch)[0] == 2
    assert plantation.look() == set()
