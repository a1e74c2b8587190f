# SPDX-License-Identifier: Apache-2.0
"""Holds the subjects of commits to 72 characters, so that `git log --oneline` and mails show them whole. For scripts/lint.

Usage: subjects.py [REPOSITORY [BASE]]

Of the commits since BASE only: what is older is as it is. A tree without that history (an archive, a shallow clone) cannot be
checked; that is said, and is no failure.
"""
import subprocess
import sys

MAX = 72
BASE = "306023adaa54f2857f68175c7ed029b43f44e4b8"  # the last commit before this rule held


def git(repository, *words):
    return subprocess.run(["git", "-C", repository, *words], capture_output=True, text=True, errors="replace")


def check(repository, base):
    """(complaints, why nothing could be checked or None)."""
    if git(repository, "rev-parse", "--git-dir").returncode != 0:
        return [], "this is no git repository"
    if git(repository, "merge-base", "--is-ancestor", base, "HEAD").returncode != 0:
        return [], f"the history does not reach back to {base[:12]}"
    log = git(repository, "log", "--no-merges", "--format=%h %s", f"{base}..HEAD")
    if log.returncode != 0:
        return [log.stderr.strip()], None
    complaints = []
    for line in log.stdout.splitlines():
        commit, _, subject = line.partition(" ")
        if len(subject) > MAX:
            complaints.append(f"commit {commit}: its subject has {len(subject)} characters, {MAX} at most: {subject}")
    return complaints, None


def main():
    repository = sys.argv[1] if len(sys.argv) > 1 else "."
    base = sys.argv[2] if len(sys.argv) > 2 else BASE
    complaints, not_checked = check(repository, base)
    if not complaints:
        print(f"lint: commit subjects: {f'not checked, because {not_checked}' if not_checked else 'clean'}")
    for words in complaints:
        print(words, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
