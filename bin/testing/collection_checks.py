"""Run ansible-test over the collection: `python bin/testing/collection_checks.py sanity`, or `units`.

ansible-test makes its virtual environments in a home of its own, which is kept between runs outside the tree. It
bootstraps pip by a script from the network, and takes one that lies in its cache instead: ours starts the pip that
comes with Python. Variables about package indexes and certificates do not reach those environments; pip's own
configuration file does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import ansible_test

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections/ansible_collections/homeport/agent"

# Python's own process for each: ensurepip turns pip's configuration off for the one that it runs in.
GET_PIP = '''\
"""Install pip from the wheel that Python carries, then what is asked for, as get-pip does."""

import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"])
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
'''


def pip_version() -> str:
    """The version of pip that this ansible-test bootstraps; its file in the cache is named after the version."""
    source = Path(ansible_test.__file__).parent / "_internal/python_requirements.py"
    found = re.search(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(
            f"error: {source.name} of ansible-test names no version of pip\n"
            "fix: see how this ansible-core bootstraps pip, and correct bin/testing/collection_checks.py"
        )
    return found[1]


def pip_configuration() -> str:
    """What pip.conf must say so that pip behaves in those environments as it does for this process."""
    settings = {
        "cert": os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE"),
        "index-url": os.environ.get("PIP_INDEX_URL"),
        "extra-index-url": os.environ.get("PIP_EXTRA_INDEX_URL"),
    }
    lines = [f"{name} = {value}" for name, value in settings.items() if value]
    return "\n".join(["[global]", *lines, ""])


def main() -> int:
    """Return ansible-test's exit status."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "homeport" / "ansible-test"
    bootstrap = home / ".ansible/test/cache" / f"get_pip_{pip_version().replace('.', '_')}.py"
    configuration = home / ".config/pip/pip.conf"
    for path, text in ((bootstrap, GET_PIP), (configuration, pip_configuration())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ["ansible-test", sys.argv[1], "--venv", "--python", version, *sys.argv[2:]]
    return subprocess.run(
        command, cwd=COLLECTION, env={**os.environ, "HOME": str(home)}, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
