"""What the tools of a release ask of git, and have it do."""

from __future__ import annotations

import subprocess

from packaging.version import Version

from workspace import ROOT, Package

__all__ = ["archive", "changes", "git", "released", "text_at"]


def git(*arguments: str) -> str:
    """Run a git command in the workspace; what it printed.

    Raises:
        CalledProcessError: It failed; its words are the error's `stderr`.
    """
    ran = subprocess.run(["git", *arguments], cwd=ROOT, check=True, text=True, capture_output=True)
    return ran.stdout


def changes() -> list[str]:
    """The files that are not as in the last commit, new ones included."""
    return git("status", "--porcelain", "--untracked-files=all").splitlines()


def released(package: Package) -> dict[Version, str]:
    """A package's releases, oldest first, each with its tag."""
    prefix = f"{package.name}-v"
    tags = git("tag", "--list", f"{prefix}*").split()
    return dict(sorted((Version(tag.removeprefix(prefix)), tag) for tag in tags))


def text_at(ref: str, path: str) -> str:
    """A file as it was at a tag or commit."""
    return git("show", f"{ref}:{path}")


def archive(ref: str, path: str) -> bytes:
    """A folder as it was at a tag or commit, as a tar file."""
    command = ["git", "archive", "--format=tar", ref, "--", path]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
