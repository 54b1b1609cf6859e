"""The environment that each step of bin/test runs in: made here, not the caller's.

A result must not depend on whose terminal bin/test was typed in: colours in a log file, a language, a time zone, an
Ansible configuration or a git configuration of somebody's own, a umask. So nothing is taken over but what says who the
person is, and how this machine reaches package indexes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UMASK = 0o022

_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|XDG_RUNTIME_DIR|XDG_CACHE_HOME|HOMEPORT_PARTS"
    # Proxies, and the certificate authorities that this machine trusts beside the well-known ones.
    r"|(?i:https?|ftp|all|no)_(?i:proxy)|\w*(?:CERT|CA_BUNDLE|CAINFO|EXTRA_CA|CA_FILE)\w*"
    # Where packages come from; not how pip, uv and npm behave.
    r"|PIP_(?:INDEX_URL|EXTRA_INDEX_URL|NO_INDEX|FIND_LINKS|TRUSTED_HOST|PROXY|CONFIG_FILE|DEFAULT_TIMEOUT)"
    r"|UV_(?:\w*INDEX\w*|FIND_LINKS|CACHE_DIR|OFFLINE)"
    r"|(?i:npm_config_(?:registry|cafile|ca|proxy|https_proxy|noproxy|userconfig|cache))"
    # Longer runs of the repository's own fuzz tests.
    r"|YAMUX_\w+"
)


def environment(callers: Mapping[str, str], tools: Path, state: Path) -> dict[str, str]:
    """The variables of every step, from the caller's; `tools` is the virtual environment whose programs come first.

    `state` is a folder for what must stand in place of a person's own files; it has to exist.
    """
    gitconfig = state / "gitconfig"
    # A clone that belongs to another user than the one who tests it, as after `sudo`, is to be read all the same.
    gitconfig.write_text(f'[safe]\n\tdirectory = "{ROOT}"\n', encoding="utf-8")
    kept = {name: value for name, value in callers.items() if _KEPT.fullmatch(name)}
    return {
        "UV_SYSTEM_CERTS": "1",
        **kept,
        "PATH": f"{tools / 'bin'}:{kept.get('PATH', os.defpath)}",
        "CI": "true",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "TERM": "dumb",
        # Molecule replaces the former by one of its own.
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_HOME": str(state / "ansible"),
        "GIT_CONFIG_GLOBAL": str(gitconfig),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
