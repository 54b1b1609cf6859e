"""Dev servers of other languages, of Procfile, Makefile and dev containers. Pure."""

from __future__ import annotations

import re
from typing import Final

from homeportd.servers.detection.model import DetectedServer, Files, fit_name, is_command, join
from homeportd.servers.port_flags import named_port

MAX_PROCESSES: Final = 20  # of a Procfile

_RUST_WEB = re.compile(
    r"^\s*[\"']?(axum|actix-web|rocket|warp|poem|tide|salvo|hyper|leptos|dioxus|loco-rs|tiny_http)\b", re.M
)
_GO_WEB = re.compile(r"net/http|gin-gonic|labstack/echo|gofiber|go-chi|gorilla/mux|julienschmidt/httprouter")


def detect(files: Files, folder: str) -> list[DetectedServer]:
    """The server of a folder's framework, none where there is no known one."""
    found = [each(files, folder) for each in (_rails, _laravel, _phoenix, _hugo, _jekyll, _cargo, _go)]
    return [server for server in found if server is not None][:1]


def detect_procfile(files: Files, folder: str, *, development: bool) -> list[DetectedServer]:
    """The processes of Procfile.dev (`development`) or Procfile, without the one that runs at a release."""
    file = "Procfile.dev" if development else "Procfile"
    found = []
    for line in files.text(folder, file).splitlines()[:200]:
        match = re.fullmatch(r"(?P<name>[A-Za-z0-9_-]+)\s*:\s*(?P<command>.+?)\s*", line)
        if match is None or match["name"] == "release" or not is_command(match["command"]):
            continue
        found.append(
            _server(folder, match["name"], match["command"], f"{file}: {match['name']}", None, own=True)
        )
    return sorted(found, key=lambda server: not server.name.endswith("web"))[:MAX_PROCESSES]


def detect_makefile(files: Files, folder: str) -> list[DetectedServer]:
    """The target `dev`, `run` or `serve` of a Makefile."""
    for file in ("GNUmakefile", "makefile", "Makefile"):
        text = files.text(folder, file)
        for name in ("dev", "run", "serve", "start"):
            if re.search(rf"^{name}\s*:(?!=)", text, re.M):
                return [_server(folder, name, f"make {name}", f"{file}: {name}", None)]
    return []


def detect_devcontainer(files: Files) -> list[DetectedServer]:
    """The command that a dev container runs when it is attached to or started."""
    container = files.json(".devcontainer", "devcontainer.json") or files.json("", ".devcontainer.json")
    for name in ("postAttachCommand", "postStartCommand"):
        command = container.get(name)
        if isinstance(command, list) and all(isinstance(word, str) for word in command):
            command = " ".join(command)
        if (
            isinstance(command, str)
            and is_command(command)
            and not re.match(r"(git|echo|npm (ci|install))\b", command)
        ):
            source = f".devcontainer/devcontainer.json: {name}"
            return [_server("", "devcontainer", command, source, forwarded_port(files))]
    return []


def forwarded_port(files: Files) -> int | None:
    """The first of forwardPorts of a dev container."""
    container = files.json(".devcontainer", "devcontainer.json") or files.json("", ".devcontainer.json")
    ports = container.get("forwardPorts")
    first = ports[0] if isinstance(ports, list) and ports else None
    return first if type(first) is int and 1024 <= first <= 65535 else None


def compose_files(files: Files) -> tuple[str, ...]:
    """The compose files of a repo, at most 20."""
    return tuple(
        sorted(
            path
            for path in files.paths
            if re.fullmatch(r"(docker-)?compose([-.][\w.-]+)?\.ya?ml", path.rpartition("/")[2])
        )
    )[:20]


def _rails(files: Files, folder: str) -> DetectedServer | None:
    if not re.search(r"""^\s*gem\s+["']rails["']""", files.text(folder, "Gemfile"), re.M):
        return None
    command = "bin/rails server" if files.has(folder, "bin/rails") else "bundle exec rails server"
    return _server(folder, "rails", command, "Gemfile: rails", 3000)


def _laravel(files: Files, folder: str) -> DetectedServer | None:
    if not files.has(folder, "artisan"):
        return None
    return _server(folder, "laravel", "php artisan serve", "artisan", 8000)


def _phoenix(files: Files, folder: str) -> DetectedServer | None:
    if "{:phoenix," not in files.text(folder, "mix.exs"):
        return None
    return _server(folder, "phoenix", "mix phx.server", "mix.exs: phoenix", 4000)


def _hugo(files: Files, folder: str) -> DetectedServer | None:
    endings = ("toml", "yaml", "yml", "json")
    own = next((f"hugo.{ending}" for ending in endings if files.has(folder, f"hugo.{ending}")), None)
    if own is None:
        own = next(
            (f"config.{each}" for each in endings if "baseURL" in files.text(folder, f"config.{each}")), None
        )
    if own is None and files.has(join(folder, "config/_default"), *(f"hugo.{each}" for each in endings)):
        own = "config/_default"
    return None if own is None else _server(folder, "hugo", "hugo server", own, 1313)


def _jekyll(files: Files, folder: str) -> DetectedServer | None:
    if not files.has(folder, "_config.yml"):
        return None
    gems = files.text(folder, "Gemfile")
    if gems and not re.search(r"""["'](jekyll|github-pages)["']""", gems):
        return None
    command = "bundle exec jekyll serve" if gems else "jekyll serve"
    return _server(folder, "jekyll", command, "_config.yml", 4000)


def _cargo(files: Files, folder: str) -> DetectedServer | None:
    text = files.text(folder, "Cargo.toml")
    if not _RUST_WEB.search(text) or not ("[[bin]]" in text or files.has(folder, "src/main.rs")):
        return None
    return _server(folder, "cargo", "cargo run", "Cargo.toml", 8000)


def _go(files: Files, folder: str) -> DetectedServer | None:
    if not files.has(folder, "go.mod"):
        return None
    inside = f"{folder}/" if folder else ""
    mains = [path for path in files.paths if path.startswith(inside) and path.endswith("/main.go")]
    below = ["", *sorted(path.removeprefix(inside).rpartition("/")[0] for path in mains)]
    for package in below:
        text = files.text(join(folder, package) if package else folder, "main.go")
        if "package main" in text and _GO_WEB.search(text + files.text(folder, "go.mod")):
            command = f"go run ./{package}" if package else "go run ."
            if not is_command(command) or not re.fullmatch(r"[\w./-]*", package):
                continue
            return _server(folder, "go", command, join(package, "main.go"), 8080)
    return None


def _server(
    folder: str, name: str, command: str, source: str, port: int | None, *, own: bool = False
) -> DetectedServer:
    """`own`: the name is one of several of the folder."""
    last = folder.rpartition("/")[2]
    named = f"{last}-{name}" if last and own else last or name
    return DetectedServer(fit_name(named), command, folder, join(folder, source), port or named_port(command))
