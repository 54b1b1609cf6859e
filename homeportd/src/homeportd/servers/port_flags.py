"""The port of a dev server, told by environment and by the flags that its framework takes. Pure.

Some dev servers read PORT, others only a flag (measured: Vite, Astro, Angular, Expo and Rsbuild ignore PORT). A command
that runs a script of package.json gets the flag through its package manager: npm alone wants `--` before it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

MAX_NESTED: Final = 5  # scripts that run scripts
LOOPBACK: Final = "127.0.0.1"

PORT_VARIABLES: Final = ("PORT", "FLASK_RUN_PORT", "UVICORN_PORT", "ROCKET_PORT", "NITRO_PORT")


@dataclass(frozen=True)
class Framework:
    """A kind of dev server: its usual port, and the arguments that set it; none where it reads PORT."""

    name: str
    port: int
    flags: str = ""  # `{port}` and `{host}` are filled in


FRAMEWORKS: Final[Mapping[str, Framework]] = {
    each.name: each
    for each in (
        Framework("vite", 5173, "--port {port} --strictPort"),
        Framework("sveltekit", 5173, "--port {port} --strictPort"),
        Framework("react-router", 5173, "--port {port} --strictPort"),
        Framework("vue-cli", 8080, "--port {port}"),
        Framework("astro", 4321, "--port {port}"),
        Framework("next", 3000, "-p {port} -H {host}"),
        Framework("nuxt", 3000, "--port {port} --host {host}"),
        Framework("angular", 4200, "--port {port}"),
        Framework("expo", 8081, "--port {port}"),
        Framework("rsbuild", 3000, "--port {port}"),
        Framework("webpack", 8080, "--port {port}"),
        Framework("storybook", 6006, "-p {port} --no-open --ci"),
        Framework("gatsby", 8000, "--port {port}"),
        Framework("docusaurus", 3000, "--port {port} --no-open"),
        Framework("eleventy", 8080, "--port={port}"),
        Framework("parcel", 1234, "--port {port}"),
        Framework("wrangler", 8787, "--port {port}"),
        Framework("vitepress", 5173, "--port {port} --strictPort"),
        Framework("http-server", 8080, "-p {port}"),
        Framework("serve", 3000, "-l {port}"),
        Framework("react-scripts", 3000),
        Framework("django", 8000, "{host}:{port}"),
        Framework("flask", 5000, "--port {port}"),
        Framework("fastapi", 8000, "--port {port}"),
        Framework("uvicorn", 8000, "--port {port}"),
        Framework("hypercorn", 8000, "--bind {host}:{port}"),
        Framework("gunicorn", 8000, "--bind {host}:{port}"),
        Framework("streamlit", 8501, "--server.port {port} --server.headless true --server.address {host}"),
        Framework("http.server", 8000, "{port} --bind {host}"),
        Framework("mkdocs", 8000, "--dev-addr {host}:{port}"),
        Framework("rails", 3000, "-p {port} -b {host}"),
        Framework("artisan", 8000, "--host {host} --port {port}"),
        Framework("php", 8000),
        Framework("phoenix", 4000),
        Framework("hugo", 1313, "--port {port} --bind {host}"),
        Framework("jekyll", 4000, "--port {port} --host {host}"),
    )
}

# The word that a command begins with, and the framework that it starts with certain arguments next (any: "").
_PROGRAMS: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("vite", ("", "dev", "serve", "preview"), "vite"),
    ("svelte-kit", ("dev",), "sveltekit"),
    ("react-router", ("dev",), "react-router"),
    ("remix", ("vite:dev",), "react-router"),
    ("vue-cli-service", ("serve",), "vue-cli"),
    ("astro", ("dev", "start", "preview"), "astro"),
    ("next", ("dev", "start"), "next"),
    ("nuxt", ("dev", "start"), "nuxt"),
    ("nuxi", ("dev", "start"), "nuxt"),
    ("ng", ("serve", "s", "dev"), "angular"),
    ("expo", ("start",), "expo"),
    ("rsbuild", ("dev", "preview", ""), "rsbuild"),
    ("webpack", ("serve", "server"), "webpack"),
    ("webpack-dev-server", ("",), "webpack"),
    ("storybook", ("dev",), "storybook"),
    ("start-storybook", ("",), "storybook"),
    ("gatsby", ("develop", "serve"), "gatsby"),
    ("docusaurus", ("start",), "docusaurus"),
    ("eleventy", ("--serve",), "eleventy"),
    ("parcel", ("", "serve"), "parcel"),
    ("wrangler", ("dev",), "wrangler"),
    ("vitepress", ("dev",), "vitepress"),
    ("http-server", ("",), "http-server"),
    ("serve", ("",), "serve"),
    ("react-scripts", ("start",), "react-scripts"),
    ("manage.py", ("runserver",), "django"),
    ("flask", ("run",), "flask"),
    ("fastapi", ("dev", "run"), "fastapi"),
    ("uvicorn", ("",), "uvicorn"),
    ("hypercorn", ("",), "hypercorn"),
    ("gunicorn", ("",), "gunicorn"),
    ("streamlit", ("run",), "streamlit"),
    ("http.server", ("",), "http.server"),
    ("mkdocs", ("serve",), "mkdocs"),
    ("rails", ("server", "s"), "rails"),
    ("artisan", ("serve",), "artisan"),
    ("hugo", ("server", "serve"), "hugo"),
    ("jekyll", ("serve", "server"), "jekyll"),
    ("mix", ("phx.server",), "phoenix"),
)
_MANAGERS = frozenset(("npm", "pnpm", "yarn", "bun"))
_WRAPPERS = frozenset(
    (
        "env",
        "cross-env",
        "cross-env-shell",
        "npx",
        "bunx",
        "dotenv",
        "dotenvx",
        "nodemon",
        "node",
        "python",
        "python3",
        "php",
        "bundle",
        "time",
        "nice",
        "exec",
        ".venv/bin/python",
        "venv/bin/python",
    )
)
_PAIRS = frozenset(
    (
        ("uv", "run"),
        ("poetry", "run"),
        ("pipenv", "run"),
        ("pdm", "run"),
        ("bundle", "exec"),
        ("pnpm", "exec"),
        ("npm", "exec"),
        ("yarn", "exec"),
        ("pnpm", "dlx"),
        ("bun", "x"),
    )
)
_OPERATORS = re.compile(
    r"(?<![&|>])&(?![&>])|\||\n|[`]|\$\(|<<"
)  # after these nobody knows where an argument goes
_TURBO = re.compile(r"\bturbo run (?P<task>\S+) --filter=(?P<package>\S+)$")
_NUMBER = re.compile(
    r"(?P<before>(?:^|\s)(?:--port|-p|--server\.port|-l|PORT|--http-port)(?:\s+|=)|(?:127\.0\.0\.1|0\.0\.0\.0|localhost):)"
    r"(?P<number>\d{2,5})(?=\s|$)"
)


@dataclass(frozen=True)
class Target:
    """The dev server that a command starts: its framework, and the way of an argument to it.

    `separators` are the `--` that npm wants, one a script that runs a script. `script` is the text of the script that
    runs the framework, None for a command that does so itself. `arguments`: an argument reaches it at all.
    """

    framework: Framework | None = None
    separators: int = 0
    script: str | None = None
    port: int | None = None  # the number that the command itself names
    arguments: bool = True


def target(command: str, scripts: Mapping[str, str], depth: int = 0) -> Target:
    """The dev server that a command starts, with the scripts of the package.json of its folder."""
    turbo = _TURBO.search(command)
    if turbo is not None and depth < MAX_NESTED:  # scripts of workspaces have turbo's own names: package#task
        inner = target(scripts.get(f"{turbo['package']}#{turbo['task']}", ""), scripts, depth + 1)
        return replace(inner, separators=inner.separators + 1, script=None)
    last = _last_command(command)
    if last is None:
        return Target(port=named_port(command), arguments=False)
    words = _words(last)
    run = _script_run(words)
    if run is not None and depth < MAX_NESTED:
        manager, name, given = run
        script = scripts.get(name)
        if script is None:
            return Target(port=named_port(command))
        inner = target(script, scripts, depth + 1)
        port = named_port(" ".join(given)) or inner.port
        # npm keeps what follows its own `--`, and a script that gives arguments already has one.
        own = int(manager == "npm" and "--" not in given)
        return replace(inner, separators=inner.separators + own, script=inner.script or script, port=port)
    return Target(_framework(words), port=named_port(command))


def named_port(command: str) -> int | None:
    """The number of a port that a command names by a flag, an address or PORT=."""
    match = _NUMBER.search(command)
    number = int(match["number"]) if match else 0
    return number if 0 < number <= 65535 else None


def with_port(  # noqa: PLR0911 - one a rule
    command: str, scripts: Mapping[str, str], port: int
) -> str:
    """The command line for a shell that starts a dev server on this port.

    A command that mentions $PORT is left as it is. Where command or script names another number, that is replaced:
    a second flag would be an error to some frameworks.
    """
    if re.search(r"\$\{?PORT\b", command):
        return command
    found = target(command, scripts)
    if found.port is not None:
        if found.port == port:
            return command
        if _NUMBER.search(command):
            return _NUMBER.sub(rf"\g<before>{port}", command)
        if found.script is not None and found.framework is not None:
            # As the package manager runs it, with the number in its place.
            script = _NUMBER.sub(rf"\g<before>{port}", found.script)
            return f'PATH="$PWD/node_modules/.bin:$PATH"; export PATH; {script}'
        return command
    if found.framework is None or not found.framework.flags or not found.arguments:
        return command
    flags = found.framework.flags.format(port=port, host=LOOPBACK)
    return " ".join([command, *["--"] * found.separators, flags])


def environment(port: int) -> dict[str, str]:
    """The variables by which dev servers learn their port; no framework opens a browser."""
    return {**dict.fromkeys(PORT_VARIABLES, str(port)), "BROWSER": "none"}


def _last_command(command: str) -> str | None:
    """The last of the commands of a line, to which an appended argument goes; None where that is not known."""
    if _OPERATORS.search(command) or re.search(
        r"(?:^|[\s/])(concurrently|run-p|run-s|npm-run-all\d?|turbo|nx|lerna)\b", command
    ):
        return None
    return re.split(r"&&|;", command)[-1].strip()


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _script_run(words: list[str]) -> tuple[str, str, list[str]] | None:
    """(Package manager, script, its arguments) of `npm run dev -- --open`; None where the words run no script."""
    while words and re.fullmatch(r"[A-Za-z_]\w*=.*", words[0]):
        words = words[1:]
    if not words or words[0] not in _MANAGERS:
        return None
    manager, rest = words[0], words[1:]
    while rest and rest[0] in ("--silent", "-s", "--bun"):
        rest = rest[1:]
    if rest and rest[0] in ("run", "run-script"):
        rest = rest[1:]
    elif not rest or (manager in ("npm", "bun") and rest[0] not in ("start", "test")):
        return None
    if not rest or rest[0] in ("exec", "dlx", "x", "install"):
        return None
    return manager, rest[0], rest[1:]


def _framework(words: list[str]) -> Framework | None:
    """The framework that a command starts."""
    words = list(words)
    while words:
        word = words[0].rpartition("/")[2]
        if re.fullmatch(r"[A-Za-z_]\w*=.*", words[0]) or words[0] in (
            "-m",
            "-y",
            "--",
            "-r",
            "--inspect",
            "--watch",
        ):
            words = words[1:]
        elif tuple(words[:2]) in _PAIRS:
            words = words[2:]
            while words and words[0].startswith("-"):
                words = words[2 if words[0] in ("--with", "--extra", "--group", "--env-file") else 1 :]
        elif words[0] in _WRAPPERS or word in ("python", "python3"):
            words = words[1:]
        else:
            break
    if not words:
        return None
    program = re.sub(r"(?<=.)\.(js|mjs|cjs)$", "", words[0].rpartition("/")[2])
    return _of_program(program, words[1:])


def _of_program(program: str, rest: list[str]) -> Framework | None:
    for name, actions, framework in _PROGRAMS:
        if program != name:
            continue
        plain = [word for word in rest if not word.startswith("-")]
        starts = "" in actions and (not plain or plain[0] not in ("build", "check", "info", "sync"))
        if starts or any(word in actions for word in rest):
            return FRAMEWORKS[framework]
    return None
