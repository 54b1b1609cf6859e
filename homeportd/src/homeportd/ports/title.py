"""The title of a dev server, as a person would call it, from its command line. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from homeportd.printable import printable

MAX_TITLE = 40  # characters

_INTERPRETERS = re.compile(
    r"(node|nodejs|bun|deno|tsx|ts-node|python[0-9.]*|pypy[0-9.]*|ruby[0-9.]*|php[0-9.]*|perl)"
)
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "fish"})
_RUNNERS = frozenset({"npm", "pnpm", "yarn"})  # hold a socket themselves only when the script is theirs
# Options of interpreters that take the next argument, so that it is not read as the script.
_WITH_VALUE = frozenset(
    {"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--env-file"}
    | {"-W", "-X", "-I", "-d", "-c", "--config", "--cwd", "--max-old-space-size", "--preload"}
)
# Programs that are known by another name than their file or package.
_NAMES = {
    "@angular/cli": "angular",
    "ng": "angular",
    "@vue/cli-service": "vue",
    "vue-cli-service": "vue",
    "react-scripts": "react-scripts",
    "webpack-dev-server": "webpack",
    "webpack-cli": "webpack",
    "next-server": "next",
    "nuxi": "nuxt",
    "nuxt-bin": "nuxt",
    "nuxi-ng": "nuxt",
    "@nuxt/cli": "nuxt",
    "@remix-run/dev": "remix",
    "@react-router/dev": "react-router",
    "@docusaurus/core": "docusaurus",
    "start-storybook": "storybook",
    "@expo/cli": "expo",
    "@nestjs/cli": "nest",
    "vite-plus": "vite",
    "docker-proxy": "docker",
    "rootlessport": "podman",
    "jupyter-lab": "jupyter",
    "jupyter-notebook": "jupyter",
    "jupyterlab": "jupyter",
    "ipykernel_launcher": "jupyter kernel",
    "hypercorn": "hypercorn",
}
_MODULES = {"django": "django", "jupyterlab": "jupyter", "notebook": "jupyter", "flask": "flask"}


def title(argv: Sequence[str], cwd: Path | None = None) -> str | None:
    """ "vite", "next", "http.server", "django", "server.js"...; None when there is nothing to go by.

    `cwd` names what the command line names only as `.` or as `index`: `node index.js` in `/srv/blog` is
    "blog".
    """
    if not argv or not argv[0].strip():
        return None
    # A program that rewrote its title left one text: "puma 6.4 (tcp://...) [blog]", "next-server (v16.0.1)".
    words = list(argv) if len(argv) > 1 else argv[0].split()
    program = PurePosixPath(words[0].rstrip(":").lstrip("-")).name
    if _INTERPRETERS.fullmatch(program):
        found = _script(program, words[1:], cwd)
    elif program in _SHELLS:
        found = _shell(program, words[1:])
    elif program in _RUNNERS:
        found = " ".join([program, *(word for word in words[1:4] if not word.startswith("-"))])
    elif "/go-build" in words[0]:
        found = "go run"
    else:
        found = _named(words[0].rstrip(":"))
    clean = printable(found).strip()
    return clean[:MAX_TITLE] or None


def _script(program: str, arguments: Sequence[str], cwd: Path | None) -> str:
    """The script that an interpreter runs: the first argument that is no option, nor the value of one."""
    python = program.startswith(("python", "pypy"))
    php = program.startswith("php")
    rest = iter(range(len(arguments)))
    for index in rest:
        word = arguments[index]
        following = arguments[index + 1] if index + 1 < len(arguments) else ""
        if python and word == "-m" and following:
            return _module(following, arguments[index + 2 :])
        if php and word == "-S":
            return "laravel" if any("laravel" in each for each in arguments[index:]) else "php"
        if (python and word == "-c") or word in ("-e", "--eval", "-p"):
            return program if not python else "python"
        if word in _WITH_VALUE and following:
            next(rest, None)
            continue
        if word.startswith("-"):
            continue
        if program in ("bun", "deno") and word in ("run", "x", "serve", "task") and following:
            if word == "task":
                return f"{program} task {following}"
            continue
        return _file(word, arguments[index + 1 :], cwd)
    return "python" if python else program


def _module(name: str, arguments: Sequence[str]) -> str:
    top = name.partition(".")[0]
    if top == "django" and "runserver" not in arguments:
        return name
    return _MODULES.get(top, name)


def _file(path: str, arguments: Sequence[str], cwd: Path | None) -> str:
    name = PurePosixPath(path).name
    if name == "manage.py" and any(word.startswith("runserver") for word in arguments):
        return "django"
    if name == "artisan":
        return "laravel"
    if name == "rails":
        return "rails"
    package = _package(path)
    if package:
        return _NAMES.get(package, package)
    stem = PurePosixPath(path).stem
    if stem in ("index", "main", "", "__main__") and cwd is not None and cwd.name:
        return cwd.name
    # A script that was installed has a program's name; a script of the project has a file's.
    return _named(path) if PurePosixPath(path).parent.name in ("bin", ".bin", "Scripts") else name


def _package(path: str) -> str | None:
    """The npm package that a file belongs to."""
    _, found, inner = path.rpartition("node_modules/")
    if not found:
        return None
    parts = inner.split("/")
    if parts[0] == ".bin":
        return parts[1] if len(parts) > 1 else None
    return "/".join(parts[:2]) if parts[0].startswith("@") else parts[0]


def _shell(program: str, arguments: Sequence[str]) -> str:
    for word in arguments:
        if not word.startswith("-"):
            return PurePosixPath(word.split()[0]).name if word.split() else program
    return program


def _named(path: str) -> str:
    name = PurePosixPath(path).name
    return _NAMES.get(name, name)
