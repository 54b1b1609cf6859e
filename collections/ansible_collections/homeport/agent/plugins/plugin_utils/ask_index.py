"""Ask whether what an installation will download is within reach; run by the target's own Python.

    python ask_index.py [--debian] pip.zip [agent.txt ...]

pip itself asks the package index, with the settings it finds here (pip.conf, PIP_*, proxies, certificates), for the
pages of the locked packages; with --debian apt asks each of its mirrors for one small file. Nothing is installed,
and nothing stays. Prints one line of JSON: {"failures": [{"source", "kind", "package", "detail"}]}, where source is
"index" or "debian" and kind one of KINDS.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

SECONDS = 5  # for one answer
APT_SECONDS = 30  # for one file, with whatever a mirror redirects to
# A name server that is busy for a moment is no reason to refuse: the installation would try again too.
TRIES = 3
PAUSE_SECONDS = 1
PATIENCE_SECONDS = 20  # after which nothing is tried again
PARALLEL = 8
MOST_MIRRORS = 4
MOST_DETAIL = 300  # characters
KINDS = ("names", "unreachable", "certificate", "refused", "missing", "changed")

# What a library says of a failure, in lower case -> what it was. The first that is found counts.
SIGNS = (
    ("names", ("resolv", "name resolution", "name or service not known", "no address associated")),
    ("certificate", ("certificate", "sslerror", "ssl:")),
    ("refused", ("unauthorized", "forbidden", "authentication required")),
)


def classify(text: str) -> str:
    """The kind of a failure that kept the index from being asked."""
    lowered = text.lower()
    return next((kind for kind, signs in SIGNS if any(sign in lowered for sign in signs)), "unreachable")


def shorten(text: str) -> str:
    """One line without control characters."""
    return "".join(character if character.isprintable() else " " for character in text)[:MOST_DETAIL].strip()


class Listener(logging.Handler):
    """Keeps why pip could not fetch a page; pip goes on without, and would only say that there are no versions."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.reasons: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        # An index beside another may know nothing of a package.
        if text.startswith("Could not fetch URL") and ": 404 Client Error" not in text:
            self.reasons.append(text.removeprefix("Could not fetch URL "))
        elif "not a trusted or secure host" in text:
            self.reasons.append(text)


def failure(source: str, kind: str, package: str, detail: str) -> dict[str, str]:
    return {"source": source, "kind": kind, "package": package, "detail": shorten(detail)}


def ask(requirement: Any, finder: Any, listener: Listener) -> dict[str, str] | None:
    """What is wrong with one locked package, or None."""
    name = f"{requirement.name}{requirement.specifier}"
    hashes = requirement.hashes(trust_internet=False)
    candidates = finder.find_best_candidate(
        requirement.name, requirement.specifier, hashes
    ).applicable_candidates
    if any(candidate.link.is_hash_allowed(hashes) for candidate in candidates):
        return None
    if listener.reasons:
        reason = listener.reasons[-1]
        return failure("index", classify(reason), name, reason)
    python = f"Python {platform.python_version()} on {platform.machine()}"
    return failure("index", "changed" if candidates else "missing", name, python)


def locked(names: list[str], session: Any, finder: Any) -> list[Any]:
    """The requirements of the locks that are for this machine."""
    from pip._internal.req import parse_requirements
    from pip._internal.req.constructors import install_req_from_parsed_requirement

    parsed = (entry for name in names for entry in parse_requirements(name, session=session, finder=finder))
    made = (install_req_from_parsed_requirement(entry) for entry in parsed)
    return [requirement for requirement in made if requirement.match_markers()]


def ask_index(archive: str, locks: list[str]) -> list[dict[str, str]]:
    """What the index does not have of these locks, by the pip in a zip file."""
    sys.path.insert(0, archive)
    from pip._internal.commands import create_command

    command: Any = create_command("install")
    settings = ["--retries=0", f"--timeout={SECONDS}", "--no-cache-dir", "--no-input", "--only-binary=:all:"]
    options, _unused = command.parse_args([*settings, "--disable-pip-version-check"])
    listener = Listener()
    for name in ("pip._internal.index.collector", "pip._internal.network.session"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(listener)
        logger.propagate = False
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options=options, session=session)
        requirements = locked(locks, session, finder)
        # The first answer tells whether the index is there at all.
        failures = [ask(requirements[0], finder, listener)]
        if not any(failures):
            rest = requirements[1:]
            with ThreadPoolExecutor(PARALLEL) as threads:
                failures = list(threads.map(lambda entry: ask(entry, finder, listener), rest))
            # The index is there, so a connection that was lost is worth another; a finder remembers what it found.
            lost = [
                number for number, found in enumerate(failures) if found and found["kind"] == "unreachable"
            ]
            finder = command._build_package_finder(options=options, session=session) if lost else finder
            listener.reasons.clear()
            for number in lost:
                failures[number] = ask(rest[number], finder, listener)
    return [found for found in failures if found]


def ask_debian() -> list[dict[str, str]]:
    """Which of apt's mirrors cannot be reached; each is asked for one small file."""
    english = {**os.environ, "LC_ALL": "C"}
    listed = subprocess.run(
        ["/usr/bin/apt-get", "--print-uris", "update"],
        env=english, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=APT_SECONDS, check=False,
    )  # fmt: skip
    mirrors: dict[str, str] = {}
    for address in re.findall(r"(?m)^'([^']+/InRelease)'", listed.stdout):
        mirrors.setdefault(urlsplit(address).netloc, address)
    if not mirrors:
        return [failure("debian", "missing", "apt", listed.stderr or "no source of packages is set up")]
    failures = []
    limits = [f"--option=Acquire::{name}::Timeout={SECONDS}" for name in ("http", "https")]
    for mirror, address in list(mirrors.items())[:MOST_MIRRORS]:
        with tempfile.TemporaryDirectory() as folder:
            fetched = subprocess.run(
                ["/usr/lib/apt/apt-helper", "--option=Acquire::Retries=0", *limits, "download-file", address,
                 f"{folder}/InRelease"],
                env=english, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=APT_SECONDS, check=False,
            )  # fmt: skip
        if fetched.returncode:
            said = next(
                (line for line in fetched.stderr.splitlines() if line.startswith("E:")), fetched.stderr
            )
            failures.append(failure("debian", classify(said), mirror, said.removeprefix("E: ")))
    return failures


def ask_twice(asked: Any, *arguments: Any) -> list[dict[str, str]]:
    """Ask again what nobody answered, unless that took long."""
    failures: list[dict[str, str]] = []
    begun = time.monotonic()
    for _unused in range(TRIES):
        failures = asked(*arguments)
        if not any(found["kind"] in ("names", "unreachable") for found in failures):
            break
        if time.monotonic() - begun > PATIENCE_SECONDS:
            break
        time.sleep(PAUSE_SECONDS)
    return failures


def main() -> int:
    # The resolver has time-outs of its own, which resolv.conf may have made long.
    os.environ.setdefault("RES_OPTIONS", f"timeout:{SECONDS} attempts:2")
    archive, *locks = [argument for argument in sys.argv[1:] if argument != "--debian"]
    failures = ask_twice(ask_index, archive, locks) if locks else []
    if "--debian" in sys.argv:
        failures += ask_twice(ask_debian)
    sys.stdout.write(json.dumps({"failures": failures}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
