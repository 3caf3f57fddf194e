"""A checkout of the workspace in a folder of its own, in which packages are released."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from workspace import ROOT

__all__ = ["DAY", "Checkout"]

DAY = "2030-01-31"
"""The day of every release."""

# Git is told nothing by whoever runs the tests.
_SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


class Checkout:
    """The workspace's files as they are now, in a repository with one commit and no tag."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        for name, value in _SETTINGS.items():
            monkeypatch.setenv(name, value)
        parts = ["packages", "releasing", "docs", "tests/surface", "pyproject.toml", ".gitignore"]
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *parts]
        names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True)
        for name in names.stdout.splitlines():
            if (ROOT / name).exists():
                copy = folder / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes((ROOT / name).read_bytes())
        for fragment in folder.glob("packages/*/changes/*.md"):
            fragment.unlink()
        self.git("init", "--quiet")
        self.commit("Begin")

    def git(self, *arguments):
        command = ["git", *arguments]
        ran = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return ran.stdout.rstrip()

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def read(self, path):
        return (self.folder / path).read_text(encoding="utf-8")

    def change(self, path, present, wanted):
        text = self.read(path)
        assert present in text
        (self.folder / path).write_text(text.replace(present, wanted), encoding="utf-8")

    def tell(self, package, text="Something."):
        """A fragment, committed."""
        fragment = self.folder / "packages" / package / "changes" / "+something.added.md"
        fragment.write_text(f"{text}\n", encoding="utf-8")
        self.commit(f"Tell: {text}")

    def release(self, package, part, *options):
        program = [sys.executable, "releasing/release.py", package, part]
        options = [*options, "--day", DAY, "--dist", str(self.folder / "dist")]
        return subprocess.run([*program, *options], cwd=self.folder, capture_output=True, text=True)

    def released(self, package, part):
        ran = self.release(package, part, "--without-trials")
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def refused(self, package, part, *options):
        """Why a release is refused, which leaves everything as it was."""
        before = self.git("rev-parse", "HEAD"), self.git("tag"), self.git("status", "--porcelain")
        ran = self.release(package, part, *options)
        assert ran.returncode == 2, ran.stdout + ran.stderr
        after = self.git("rev-parse", "HEAD"), self.git("tag"), self.git("status", "--porcelain")
        assert after == before
        return ran.stderr

    def version(self, package):
        (about,) = self.folder.glob(f"packages/{package}/src/*/__about__.py")
        return about.read_text(encoding="utf-8").split('"')[-2]

    def project(self, package):
        return tomllib.loads(self.read(f"packages/{package}/pyproject.toml"))["project"]
