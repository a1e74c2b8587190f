# SPDX-License-Identifier: Apache-2.0
"""That the rule about commit subjects fails when it should, in repositories made for it."""
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "rules"))

import subjects  # noqa: E402

LONG = "area: " + "x" * 67


def git(repository, *words):
    command = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(repository, subject):
    git(repository, "commit", "-q", "--allow-empty", "-m", subject)
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    return tmp_path


def test_a_long_subject_fails(repository):
    base = commit(repository, LONG)  # what is older than the rule is left alone
    commit(repository, "area: " + "x" * 66)
    assert subjects.check(str(repository), base) == ([], None)
    commit(repository, LONG)
    (complaint,), not_checked = subjects.check(str(repository), base)
    assert "73 characters, 72 at most" in complaint and not_checked is None


def test_characters_count_not_bytes(repository):
    base = commit(repository, "begin")
    commit(repository, "ü" * 72)
    assert subjects.check(str(repository), base) == ([], None)


def test_a_shallow_clone_says_that_it_cannot_check(repository, tmp_path_factory):
    base = commit(repository, "begin")
    commit(repository, LONG)
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "-q", "--depth", "1", f"file://{repository}", str(clone / "it"))
    complaints, not_checked = subjects.check(str(clone / "it"), base)
    assert complaints == [] and "does not reach back" in not_checked


def test_an_exported_tree_says_that_it_cannot_check(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert subjects.check(str(tmp_path), "HEAD") == ([], "this is no git repository")
