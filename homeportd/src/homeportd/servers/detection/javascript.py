"""Dev servers of package.json scripts, in a workspace's packages too. Pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final

from homeportd.servers.detection.model import (
    DetectedServer,
    Files,
    fit_name,
    is_command,
    join,
    port_in,
    table,
)
from homeportd.servers.port_flags import named_port, target

MAIN_SCRIPTS: Final = ("dev", "develop", "start:dev", "start", "serve")
_LOCKS: Final = (
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
)
_CONFIGS: Final = tuple(
    f"{name}.config.{ending}"
    for name in ("vite", "astro", "nuxt", "rsbuild", "webpack", "vue")
    for ending in ("ts", "js", "mjs", "mts", "cjs")
)
# Scripts that build or test at each change, and serve nothing.
_WATCHERS = re.compile(
    r"^(npx )?(tsc|tsup|rollup|babel|unbuild|vitest|jest|microbundle|ncc|swc|sass|tailwindcss|echo|exit|true|tsdown)\b"
)
# Scripts that run the scripts of the packages: these are servers of their own.
_DELEGATES = re.compile(
    r"\b(turbo|lerna|nx)\b|\bpnpm (-r|--recursive|--parallel|--filter)|--workspaces?\b|\s-ws?\b|\byarn workspaces?\b"
)


def manager(files: Files, folder: str) -> str:
    """The package manager of a folder: as packageManager or a lock file says, there or above; else npm."""
    while True:
        named = files.json(folder, "package.json").get("packageManager")
        if isinstance(named, str) and named.partition("@")[0] in ("npm", "pnpm", "yarn", "bun"):
            return named.partition("@")[0]
        for lock, name in _LOCKS:
            if files.has(folder, lock):
                return name
        if not folder:
            return "npm"
        folder = folder.rpartition("/")[0]


def lock_of(files: Files, folder: str) -> str | None:
    """The path of the lock file that holds for a folder, there or above; None where there is none."""
    while True:
        for lock, _ in _LOCKS:
            if files.has(folder, lock):
                return join(folder, lock)
        if not folder:
            return None
        folder = folder.rpartition("/")[0]


def scripts(files: Files, folder: str) -> dict[str, str]:
    """The scripts of a folder's package.json; those of a workspace's packages as `package#script`."""
    found = _own_scripts(files, folder)
    for package in _packages(files) if not folder else ():
        name = files.json(package, "package.json").get("name")
        if isinstance(name, str):
            found |= {f"{name}#{task}": text for task, text in _own_scripts(files, package).items()}
    return found


def detect(files: Files, folder: str) -> list[DetectedServer]:
    """The servers of a folder's package.json: that of its main script, and Storybook."""
    if not files.has(folder, "package.json"):
        return []
    own = _own_scripts(files, folder)
    packages = _packages(files)
    main = next((name for name in MAIN_SCRIPTS if name in own), None)
    if main is None and files.has(folder, "server.js"):
        main, own = "start", own | {"start": "node server.js"}  # what npm runs for it
    found = []
    if main is not None and _serves(own[main], folder, packages):
        found.append(_server(files, folder, main, own, packages))
    if "storybook" in own:
        found.append(_server(files, folder, "storybook", own, packages))
    return found


def _serves(script: str, folder: str, packages: list[str]) -> bool:
    if not folder and packages and _DELEGATES.search(script):
        return False
    return not _WATCHERS.match(script.rsplit("&&", maxsplit=1)[-1].strip())


def _server(
    files: Files, folder: str, script: str, own: dict[str, str], packages: list[str]
) -> DetectedServer:
    by = manager(files, folder)
    directory, command = folder, f"{by} start" if script == "start" else f"{by} run {script}"
    package = files.json(folder, "package.json").get("name")
    turbo = files.json("", "turbo.json")
    tasks = table(turbo, "tasks") | table(turbo, "pipeline")
    named = isinstance(package, str) and re.fullmatch(r"[@\w./-]+", package)
    if folder in packages and named and script in tasks:
        execute = {"npm": "npx", "pnpm": "pnpm exec", "yarn": "yarn", "bun": "bunx"}[by]
        directory, command = "", f"{execute} turbo run {script} --filter={package}"
    text = own[script]
    framework = target(text, own).framework
    name = folder.rpartition("/")[2]
    if not folder or script == "storybook":
        name = f"{name}-{script}" if folder else script
    return DetectedServer(
        name=fit_name(name.replace("start:dev", "dev")),
        command=command,
        directory=directory,
        source=f"{join(folder, 'package.json')}: {script}",
        preferred_port=target(text, own).port
        or (None if script == "storybook" else _configured_port(files, folder))
        or (framework.port if framework else 3000),
    )


def _own_scripts(files: Files, folder: str) -> dict[str, str]:
    found = table(files.json(folder, "package.json"), "scripts")
    return {
        name: text
        for name, text in found.items()
        if is_command(text) and re.fullmatch(r"[\w:.@/-]{1,64}", name)
    }


def _configured_port(files: Files, folder: str) -> int | None:
    for name in _CONFIGS:
        if (port := port_in(files.text(folder, name))) is not None:
            return port
    for name in (".env.development", ".env"):
        for line in files.text(folder, name).splitlines():
            if line.startswith("PORT=") and (port := named_port(line)) is not None:
                return port
    return None


def _packages(files: Files) -> list[str]:
    """The folders of the packages of the workspace whose root is the repo; none where it is no workspace."""
    found = files.json("", "package.json").get("workspaces")
    patterns = table({"it": found}, "it").get("packages") if isinstance(found, dict) else found
    if not isinstance(patterns, list):
        patterns = files.json("", "lerna.json").get("packages")
    if not isinstance(patterns, list):
        patterns = re.findall(
            r"""^\s*-\s*["']?([^"'#\s]+)["']?\s*$""", files.text("", "pnpm-workspace.yaml"), re.M
        )
    wanted = [each.strip("./") for each in patterns if isinstance(each, str) and not each.startswith("!")]
    return [
        folder
        for folder in files.folders()
        if folder and files.has(folder, "package.json") and any(_matches(folder, each) for each in wanted)
    ]


def _matches(folder: str, pattern: str) -> bool:
    if "**" in pattern:
        return fnmatchcase(folder, pattern.replace("**", "*"))
    return folder.count("/") == pattern.count("/") and fnmatchcase(folder, pattern)
