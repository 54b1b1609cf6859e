"""The check of a repository's own config, before git is run in a way that could start what the config names.

A list of known keys, not of dangerous ones, which would age; whatever else stands there is the person's to run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from homeportd.errors import HomeportError
from homeportd.printable import printable
from homeportd.repos import files
from homeportd.repos.git.command import Git, GitError

MAX_NAMED: Final = 3  # keys in a sentence

_HARMLESS: Final = re.compile(
    r"""(?x)
    core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks|autocrlf|eol
          |safecrlf|checkstat|trustctime|quotepath|abbrev|longpaths|hookspath|fsmonitor|untrackedcache|whitespace
          |sharedrepository|commitgraph|multipackindex|preloadindex|splitindex|sparsecheckout|sparsecheckoutcone
          |compression|bigfilethreshold|askpass|pager|editor)  # the last few are ours or unused, whatever they say
    | extensions\.(objectformat|noop|partialclone|relativeworktrees)
    | remote\..*\.(url|pushurl|fetch|push|tagopt|prune|prunetags|mirror|promisor|partialclonefilter|gh-resolved)
    | branch\..*\.(remote|merge|rebase|description|pushremote|gh-merge-base|vscode-merge-base|github-pr-owner-number)
    | branch\.(autosetupmerge|autosetuprebase|sort) | remote\.pushdefault
    | user\.(name|email|signingkey|useconfigonly) | (author|committer)\.(name|email)
    | submodule\..*\.(url|active|branch|ignore|fetchrecursesubmodules) | submodule\.(active|recurse|fetchjobs)
    | (pull|push|fetch|merge|rebase|commit|tag|init|advice|color|status|log|diff|rerere|gc|maintenance|pack|index
      |feature|gui|i18n|transfer|receive|checkout|clone|column|grep|help|stash|worktree)\.[a-z]+
    | alias\..*  # hides no command of git's
    | lfs\.(repositoryformatversion|.*\.(access|locksverify))
    """
)
# Of these sections a few keys name programs.
_PROGRAMS: Final = re.compile(
    r"(diff|merge|pull|gui|rebase|receive|pack)\.(external|tool|guitool|driver|packobjectshook|procreceiverefs)"
)
_LFS: Final = {
    "filter.lfs.clean": {"git-lfs clean -- %f"},
    "filter.lfs.smudge": {"git-lfs smudge -- %f", "git-lfs smudge --skip -- %f"},
    "filter.lfs.process": {"git-lfs filter-process", "git-lfs filter-process --skip"},
    "filter.lfs.required": {"true", "false"},
}


async def check(git: Git, common_dir: Path, path: Path) -> None:
    """Raise HomeportError where the config of `common_dir`, the git folder of the tree `path`, is not harmless."""
    try:
        listed = await git.run("config", "--file", common_dir / "config", "--no-includes", "--list", "-z")
    except GitError as error:
        raise HomeportError(f"git cannot read {common_dir / 'config'}", "correct that file") from error
    named = unknown(listed)
    if files.git_dir(path) is not None and (common_dir / "config.worktree").exists():
        named.append("extensions.worktreeConfig")
    if named:
        some = ", ".join(named[:MAX_NAMED]) + (", …" if len(named) > MAX_NAMED else "")
        raise HomeportError(
            f"the repository's own git config has {some}, which could start a program or lead elsewhere",
            f"run git yourself in {path}, or remove it: git config --unset {named[0]}",
        )


def unknown(listed: str) -> list[str]:
    """The keys that are not known as harmless, in the output of `git config --list -z`."""
    found = []
    for entry in listed.split("\0"):
        key, _, value = entry.partition("\n")
        harmless = _HARMLESS.fullmatch(key) and not _PROGRAMS.fullmatch(key)
        if key and not harmless and value not in _LFS.get(key, ()):
            found.append(printable(key)[:100])
    return found
