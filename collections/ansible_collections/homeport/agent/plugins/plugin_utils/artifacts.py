"""The table of artifacts: which version of each program is installed, and where it comes from. No I/O but for locks."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

SOURCES = ("wheel", "npm", "url", "apt")
SHA256 = re.compile(r"[0-9a-f]{64}")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]*")
FILE = {"url", "sha256"}
UNUSABLE = {"source": "", "version": "", "origin": "unknown"}
# How a release is described; docs/operations.md has it at length.
HOW = (
    "download the file, compare it with the checksums that the project publishes, and set "
    "artifact_urls: {{{name}: {{version: …, platforms: {{x86_64: {{url: …, sha256: what sha256sum says}}}}}}}}"
)


class TableError(Exception):
    """What is wrong with a row: `error` and `fix`."""

    def __init__(self, error: str, fix: str) -> None:
        super().__init__(error)
        self.error = error
        self.fix = fix


def choose(table: Json, sources: Json, urls: Json, requirements: Path, machine: str) -> Json:
    """One row a program: source, version, origin, check, and what its source needs.

    `sources` names the source of a program that has several, and `urls` has upstream releases; both are from the
    inventory, and `machine` is the host's. Paths in a row are absolute. A row that cannot be used has `error` and
    `fix`, and so has a name that the table does not know.
    """
    rows: Json = {}
    for name, sources_of in table.items():
        try:
            rows[name] = _row(name, sources_of, sources.get(name), urls.get(name), requirements, machine)
        except TableError as error:
            rows[name] = UNUSABLE | {"error": error.error, "fix": error.fix}
    for variable, value in (("artifact_sources", sources), ("artifact_urls", urls)):
        for name in set(value) - set(table):
            known = ", ".join(table)
            rows[name] = UNUSABLE | {
                "error": f"{variable} has {name!r}",
                "fix": f"correct the name; the table has {known}",
            }
    for row in rows.values():
        if row.get("source") == "npm":  # what was compiled for one Node need not run on another
            row["origin"] += f" node {rows['node'].get('version', '')}"
    return rows


def unusable(rows: Json, table: Json, needed: list[str]) -> list[Json]:
    """Error and fix of each row that a host needs and cannot be used, and of names that the table does not know."""
    return [
        {"error": row["error"], "fix": row["fix"]}
        for name, row in rows.items()
        if "error" in row and (name in needed or name not in table)
    ]


def _row(name: str, row: Json, source: Any, release: Any, requirements: Path, machine: str) -> Json:
    own = [known for known in SOURCES if known in row]
    source = source or own[0]
    if source not in (*own, "url"):
        choice = " or ".join(dict.fromkeys((*own, "url")))
        raise TableError(f"artifact_sources.{name} is {source!r}", f"it is {choice}")
    chosen: Json = {"source": source, "check": row.get("check", [])}
    if source == "url":
        return chosen | _release(name, release or row.get("url"), machine)
    chosen |= row[source]
    chosen["version"] = str(chosen.get("version", ""))
    chosen["origin"] = source
    if source == "wheel":
        chosen["lock"] = str(requirements / chosen["lock"])
    elif source == "npm":
        project = requirements / chosen["project"]
        chosen["project"] = str(project)
        chosen["origin"] = f"npm {_digest((project / 'package-lock.json').read_bytes())}"
    return chosen


def _release(name: str, release: Any, machine: str) -> Json:
    """An upstream release as the inventory names it, for one kind of machine: version, program, url, sha256."""
    where, how = f"artifact_urls.{name}", HOW.format(name=name)
    if not isinstance(release, dict):
        raise TableError(f"artifact_sources.{name} is url, and there is no {where}", how)
    if unknown := set(release) - {"version", "platforms", "program"}:
        raise TableError(
            f"{where} has {', '.join(map(repr, sorted(unknown)))}", "it has version, platforms and program"
        )
    version = str(release.get("version", ""))
    if not VERSION.fullmatch(version):
        raise TableError(f"{where}.version is {version!r}", 'write it as "2.11.9"')
    platforms = release.get("platforms")
    if not isinstance(platforms, dict) or machine not in platforms:
        known = ", ".join(sorted(platforms)) if isinstance(platforms, dict) and platforms else "none"
        raise TableError(f"{where}.platforms has no {machine} ({known}), which this machine is", how)
    file, place = platforms[machine], f"{where}.platforms.{machine}"
    if not isinstance(file, dict) or set(file) - FILE:
        raise TableError(f"{place} is {file!r}", "it has url and sha256")
    address = urlsplit(str(file.get("url", "")))
    if address.scheme not in ("https", "http") or not address.hostname:
        raise TableError(f"{place}.url is {file.get('url', '')!r}", "it begins with https://")
    sha256 = str(file.get("sha256") or "").lower()
    if not SHA256.fullmatch(sha256):
        raise TableError(
            f"{place} has no sha256 (64 hexadecimal digits), without which nothing is installed", how
        )
    return {
        "version": version,
        "origin": f"url {sha256[:16]}",
        "program": str(release.get("program", "")),
        "url": file["url"],
        "sha256": sha256,
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
