"""Servers that run on a Java virtual machine: the machine, and the jars that Maven brings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from services.cache import cache_folder
from services.local import ServiceError, ServiceMissing

__all__ = ["class_path", "java", "require_java"]

POMS = Path(__file__).parent / "poms"
LOGGING = POMS / "log4j2.xml"
# Kafka 4 brokers: https://kafka.apache.org/41/operations/java-version/
JAVA_AT_LEAST = 17
# A small heap, and a start that is twice as fast as with the compilers of a long-lived server.
JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def require_java(server: str, instead: str) -> None:
    """Check that there is a Java that is new enough, and Maven.

    Args:
        server: What the Java is for.
        instead: What else would do, as words of the error.

    Raises:
        ServiceMissing: One of them is missing or too old.
    """
    hint = f"{instead}, or install Java {JAVA_AT_LEAST} or later and Maven"
    hint += " (Debian: apt-get install default-jre-headless maven)"
    found = java_version()
    if found is None:
        raise ServiceMissing(f"no {server}, for there is no Java: {hint}")
    if found < JAVA_AT_LEAST:
        raise ServiceMissing(f"no {server}, for this Java is version {found}: {hint}")
    if shutil.which("mvn") is None:
        raise ServiceMissing(f"no {server}, for there is no Maven: {hint}")


def java_version() -> int | None:
    """The feature version of the Java on the path, such as 17; None without one."""
    program = shutil.which("java")
    if program is None:
        return None
    said = subprocess.run([program, "-version"], capture_output=True, text=True).stderr
    # `openjdk version "17.0.15" 2025-04-15`, and of old `java version "1.8.0_392"`.
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(version[1]) if version else None


def java(class_path: str, main: str, *arguments: str) -> list[str]:
    """The command line of a Java program, which logs warnings and errors."""
    log = f"-Dlog4j2.configurationFile={LOGGING.as_uri()}"
    return ["java", *JAVA_OPTIONS, log, "-cp", class_path, main, *arguments]


def class_path(name: str) -> str:
    """The jars that ``poms/<name>.pom.xml`` asks for, downloaded the first time.

    Raises:
        ServiceError: Maven could not resolve them.
    """
    pom = POMS / f"{name}.pom.xml"
    with cache_folder(name, pom.read_bytes()) as folder:
        remembered = folder / "classpath"
        if remembered.exists() and all(map(os.path.exists, jars(remembered))):
            return remembered.read_text()
        partial = folder / "classpath.partial"
        resolve = ["mvn", "-q", "-B", "-f", str(pom), "dependency:build-classpath"]
        maven = subprocess.run(
            [*resolve, f"-Dmdep.outputFile={partial}"], capture_output=True, text=True
        )
        if maven.returncode != 0:
            raise ServiceError(f"Maven could not resolve {pom}; it said:\n{maven.stdout[-2000:]}")
        partial.replace(remembered)
        return remembered.read_text()


def jars(remembered: Path) -> list[str]:
    """The jars that a class path names."""
    return remembered.read_text().split(os.pathsep)
