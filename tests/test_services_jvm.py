"""The Java machine and the jars, with programs of the test's own on the path."""

from __future__ import annotations

import pytest

from services import KafkaServer, ServiceError, ServiceMissing, jvm


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a shell script on the path, which has nothing else but the system's own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}")

    def write(name, script):
        (programs / name).write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n")
        (programs / name).chmod(0o755)

    return write


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "despatch-tests"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_392"', 8),
        ("Unable to locate a Java Runtime.", None),
    ],
)
def test_the_version_of_java_is_read(install, said, version):
    install("java", f"echo '{said}' >&2")

    assert jvm.java_version() == version


@pytest.mark.parametrize(
    ("java", "maven", "reason"),
    [
        (None, True, "there is no Java"),
        ("11.0.2", True, "this Java is version 11"),
        ("17.0.1", False, "there is no Maven"),
    ],
)
def test_what_is_missing_for_kafka_is_said(install, java, maven, reason):
    if java:
        install("java", f"""echo 'openjdk version "{java}"' >&2""")
    if maven:
        install("mvn", "exit 0")

    with pytest.raises(ServiceMissing, match=reason) as raised:
        KafkaServer.require()
    assert "DESPATCH_TEST_KAFKA" in str(raised.value)
    assert "apt-get install default-jre-headless maven" in str(raised.value)


def test_a_java_that_is_new_enough_and_maven_are_all_that_is_needed(install):
    install("java", """echo 'openjdk version "17.0.1"' >&2""")
    install("mvn", "exit 0")

    KafkaServer.require()


MAVEN = """
for each; do case $each in -Dmdep.outputFile=*) file=${each#*=};; esac; done
echo resolved >>"$COUNT"
printf '%s' "$JARS" >"$file"
"""


@pytest.fixture
def maven(install, tmp_path, monkeypatch):
    """A Maven that names two jars; how often it was run."""
    jars = [tmp_path / "one.jar", tmp_path / "two.jar"]
    for jar in jars:
        jar.touch()
    count = tmp_path / "count"
    count.touch()
    monkeypatch.setenv("COUNT", str(count))
    monkeypatch.setenv("JARS", ":".join(map(str, jars)))
    install("mvn", MAVEN)
    return lambda: len(count.read_text().splitlines())


def test_jars_are_resolved_once(cache, maven, tmp_path):
    expected = f"{tmp_path}/one.jar:{tmp_path}/two.jar"

    assert jvm.class_path("kafka") == expected
    assert jvm.class_path("kafka") == expected
    assert maven() == 1


def test_jars_that_are_gone_are_resolved_again(cache, maven, tmp_path):
    jvm.class_path("kafka")
    (tmp_path / "two.jar").unlink()
    jvm.class_path("kafka")

    assert maven() == 2


def test_a_maven_that_fails_is_quoted_and_asked_again_the_next_time(cache, maven, install):
    install("mvn", "echo 'no network'; exit 1")
    with pytest.raises(ServiceError, match=r"(?s)could not resolve .*kafka.pom.xml.*no network"):
        jvm.class_path("kafka")

    install("mvn", MAVEN)
    assert jvm.class_path("kafka")


def test_a_server_logs_warnings_alone():
    command = jvm.java("a.jar:b.jar", "kafka.Kafka", "server.properties")

    assert command[-4:] == ["-cp", "a.jar:b.jar", "kafka.Kafka", "server.properties"]
    assert f"-Dlog4j2.configurationFile={jvm.LOGGING.as_uri()}" in command
    assert '<Root level="WARN">' in jvm.LOGGING.read_text()
