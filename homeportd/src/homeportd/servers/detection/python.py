"""Dev servers of Python projects: Django, FastAPI, Flask, Streamlit, scripts of pyproject.toml. Pure."""

from __future__ import annotations

import re
from typing import Final

from homeportd.servers.detection.model import DetectedServer, Files, fit_name, join, table

_MODULES: Final = ("main", "app", "api", "server", "asgi", "wsgi", "run")
_PACKAGES: Final = ("", "app/", "api/", "src/", "server/", "backend/")
_PROJECT: Final = ("pyproject.toml", "requirements.txt", "Pipfile", "manage.py", "uv.lock")
_SCRIPTS: Final = ("dev", "start", "serve", "run", "server")


def runner(files: Files, folder: str) -> str:
    """What a command of a project begins with: uv's, Poetry's, Pipenv's, the project's virtual environment's."""
    while True:
        tools = table(files.toml(folder, "pyproject.toml"), "tool")
        if files.has(folder, "uv.lock") or "uv" in tools:
            return "uv run "
        if files.has(folder, "poetry.lock") or "poetry" in tools:
            return "poetry run "
        if files.has(folder, "Pipfile"):
            return "pipenv run "
        for path in (".venv", "venv"):
            if files.has(folder, f"{path}/bin/python"):
                return f"{path}/bin/python -m "
        if not folder:
            return "python3 -m "
        folder = folder.rpartition("/")[0]


def detect(files: Files, folder: str) -> list[DetectedServer]:
    """The servers of a folder's Python project."""
    if folder and not files.has(folder, *_PROJECT):
        return []  # a package of the project above
    run = runner(files, folder)
    plain = run.removesuffix(" -m ") + (" " if run.endswith(" -m ") else " python ")
    plain = plain.replace("  ", " ")
    if files.has(folder, "manage.py") and "django" in files.text(folder, "manage.py"):
        return [_server(folder, "django", f"{plain}manage.py runserver", "manage.py", 8000)]
    return [
        *_streamlit(files, folder, run),
        *_asgi_or_wsgi(files, folder, run),
        *_scripts(files, folder, run),
    ][:3]


def _asgi_or_wsgi(files: Files, folder: str, run: str) -> list[DetectedServer]:
    for package in _PACKAGES:
        for module in (*_MODULES, "__init__"):
            path = f"{package}{module}.py"
            text = files.text(folder, path)
            if not text or _in_other_project(files, folder, package):
                continue
            name = (package.replace("src/", "") + module).replace("/__init__", "").replace("/", ".")
            source = join(folder, path)
            if found := re.search(r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:fastapi\.)?FastAPI\(", text, re.M):
                where = "--app-dir src " if package == "src/" else ""
                if _requires(files, folder, r"fastapi\[(standard|all)\]"):
                    return [_server(folder, "fastapi", f"{run}fastapi dev {path}", source, 8000)]
                return [
                    _server(
                        folder, "fastapi", f"{run}uvicorn {where}{name}:{found[1]} --reload", source, 8000
                    )
                ]
            if found := re.search(
                r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?(Starlette|Litestar|Quart)\(", text, re.M
            ):
                command = f"{run}uvicorn {name}:{found[1]} --reload"
                return [_server(folder, found[2].lower(), command, source, 8000)]
            if re.search(r"=\s*(?:flask\.)?Flask\(", text) and module != "__init__":
                return [_server(folder, "flask", f"{run}flask --app {name} run --reload", source, 5000)]
            if "create_app" in text and "Flask(" in text:
                return [_server(folder, "flask", f"{run}flask --app {name} run --reload", source, 5000)]
    return []


def _in_other_project(files: Files, folder: str, package: str) -> bool:
    """Whether a package is a project of its own, which is looked at by itself."""
    inner = join(folder, package.rstrip("/"))
    return bool(package) and files.has(inner, *_PROJECT)


def _streamlit(files: Files, folder: str, run: str) -> list[DetectedServer]:
    for name in ("streamlit_app.py", "app.py", "main.py", "Home.py"):
        if re.search(r"^\s*(import streamlit|from streamlit)\b", files.text(folder, name), re.M):
            return [_server(folder, "streamlit", f"{run}streamlit run {name}", join(folder, name), 8501)]
    return []


def _scripts(files: Files, folder: str, run: str) -> list[DetectedServer]:
    """Scripts of pyproject.toml that are named as servers are."""
    project = files.toml(folder, "pyproject.toml")
    tasks = table(project, "tool", "poe", "tasks")
    scripts = table(project, "project", "scripts") | table(project, "tool", "poetry", "scripts")
    for name in _SCRIPTS:
        source = f"{join(folder, 'pyproject.toml')}: {name}"
        if name in tasks:
            return [
                _server(folder, name, f"{run}poe {name}".replace("-m poe", "-m poethepoet"), source, None)
            ]
        if name in scripts and not run.endswith("-m "):
            return [_server(folder, name, f"{run}{name}", source, None)]
    return []


def _requires(files: Files, folder: str, pattern: str) -> bool:
    texts = [files.text(folder, name) for name in ("pyproject.toml", "requirements.txt", "Pipfile")]
    return any(re.search(pattern, text) for text in texts)


def _server(folder: str, name: str, command: str, source: str, port: int | None) -> DetectedServer:
    named = folder.rpartition("/")[2] or name
    return DetectedServer(
        fit_name(named),
        command,
        folder,
        source if "/" in source or not folder else join(folder, source),
        port,
    )
