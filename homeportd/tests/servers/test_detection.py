"""The start commands that a repo's files describe."""

from __future__ import annotations

import json
import os

import pytest

from homeportd.servers.detection.detect import detect
from homeportd.servers.detection.model import Files
from homeportd.servers.detection.snapshot import MAX_TEXT, snapshot


def package(**fields):
    """The text of a package.json."""
    return json.dumps(fields)


def found(texts, *more):
    """(name, folder, command, preferred port) of each server in a repo of these files."""
    files = Files(frozenset([*texts, *more]), texts)
    return [(each.name, each.directory, each.command, each.preferred_port) for each in detect(files).servers]


VITE = package(scripts={"dev": "vite", "build": "vite build"})
CASES = {
    "npm": (({"package.json": VITE}, "package-lock.json"), [("dev", "", "npm run dev", 5173)]),
    "pnpm": (({"package.json": VITE}, "pnpm-lock.yaml"), [("dev", "", "pnpm run dev", 5173)]),
    "yarn": (({"package.json": VITE}, "yarn.lock"), [("dev", "", "yarn run dev", 5173)]),
    "bun": (({"package.json": VITE}, "bun.lock"), [("dev", "", "bun run dev", 5173)]),
    "packageManager": (
        ({"package.json": package(packageManager="pnpm@9.1.0", scripts={"start": "next start"})},),
        [("start", "", "pnpm start", 3000)],
    ),
    "storybook beside": (
        ({"package.json": package(scripts={"dev": "next dev", "storybook": "storybook dev -p 6007"})},),
        [("dev", "", "npm run dev", 3000), ("storybook", "", "npm run storybook", 6007)],
    ),
    "a port of the configuration": (
        ({"package.json": VITE, "vite.config.ts": "export default { server: { port: 4000 } }"},),
        [("dev", "", "npm run dev", 4000)],
    ),
    "no script, and server.js": (
        ({"package.json": package(name="x")}, "server.js"),
        [("start", "", "npm start", 3000)],
    ),
    "a workspace": (
        (
            {
                "package.json": package(
                    workspaces=["apps/*", "packages/*"], scripts={"dev": "npm run dev --workspaces"}
                ),
                "apps/web/package.json": package(name="web", scripts={"dev": "vite"}),
                "apps/api/package.json": package(name="@shop/api", scripts={"dev": "node --watch index.js"}),
                "packages/ui/package.json": package(name="ui", scripts={"dev": "tsc --watch"}),
            },
            "package-lock.json",
        ),
        [("api", "apps/api", "npm run dev", 3000), ("web", "apps/web", "npm run dev", 5173)],
    ),
    "turbo": (
        (
            {
                "package.json": package(scripts={"dev": "turbo dev"}),
                "pnpm-workspace.yaml": "packages:\n  - 'apps/*'\n",
                "turbo.json": package(tasks={"dev": {"cache": False}}),
                "apps/web/package.json": package(name="web", scripts={"dev": "next dev --port 3001"}),
            },
            "pnpm-lock.yaml",
        ),
        [("web", "", "pnpm exec turbo run dev --filter=web", 3001)],
    ),
    "Procfile.dev": (
        ({"Procfile.dev": "css: yarn build --watch\nweb: bin/rails s -p 3100\n", "package.json": VITE},),
        [("web", "", "bin/rails s -p 3100", 3100), ("css", "", "yarn build --watch", None)],
    ),
    "Procfile": (
        ({"Procfile": "release: ./migrate\nweb: gunicorn app:app\n"},),
        [("web", "", "gunicorn app:app", None)],
    ),
    "Django with uv": (
        ({"manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'x')\nimport django"}, "uv.lock"),
        [("django", "", "uv run python manage.py runserver", 8000)],
    ),
    "Django with Poetry": (
        ({"manage.py": "import django", "pyproject.toml": "[tool.poetry]\nname='x'"},),
        [("django", "", "poetry run python manage.py runserver", 8000)],
    ),
    "Flask in a virtual environment": (
        ({"app.py": "app = Flask(__name__)"}, ".venv/bin/python"),
        [("flask", "", ".venv/bin/python -m flask --app app run --reload", 5000)],
    ),
    "FastAPI": (
        ({"app/main.py": "from fastapi import FastAPI\napi = FastAPI()", "requirements.txt": "fastapi"},),
        [("fastapi", "", "python3 -m uvicorn app.main:api --reload", 8000)],
    ),
    "FastAPI with its own command": (
        ({"main.py": "app = FastAPI()", "requirements.txt": "fastapi[standard]==1"}, "uv.lock"),
        [("fastapi", "", "uv run fastapi dev main.py", 8000)],
    ),
    "Streamlit": (
        ({"app.py": "import streamlit as st"},),
        [("streamlit", "", "python3 -m streamlit run app.py", 8501)],
    ),
    "a task of pyproject": (
        ({"pyproject.toml": "[project.scripts]\nserve = 'x:main'\n[tool.uv]\n"},),
        [("serve", "", "uv run serve", None)],
    ),
    "Rails": (
        ({"Gemfile": 'gem "rails", "~> 8"'}, "bin/rails"),
        [("rails", "", "bin/rails server", 3000)],
    ),
    "Laravel": (({"composer.json": "{}"}, "artisan"), [("laravel", "", "php artisan serve", 8000)]),
    "Phoenix": (({"mix.exs": "{:phoenix, '~> 1'}"},), [("phoenix", "", "mix phx.server", 4000)]),
    "Cargo": (
        ({"Cargo.toml": '[dependencies]\naxum = "0.8"'}, "src/main.rs"),
        [("cargo", "", "cargo run", 8000)],
    ),
    "a tool of Cargo": (({"Cargo.toml": '[dependencies]\nclap = "4"'}, "src/main.rs"), []),
    "Go": (
        ({"go.mod": "module x", "cmd/api/main.go": 'package main\nimport "net/http"'},),
        [("go", "", "go run ./cmd/api", 8080)],
    ),
    "Hugo": (({"hugo.toml": "baseURL = 'x'"},), [("hugo", "", "hugo server", 1313)]),
    "Jekyll": (
        ({"_config.yml": "title: x", "Gemfile": 'gem "jekyll"'},),
        [("jekyll", "", "bundle exec jekyll serve", 4000)],
    ),
    "Makefile": (({"Makefile": "build:\n\ttrue\ndev: build\n\t./serve\n"},), [("dev", "", "make dev", None)]),
    "dev container": (
        (
            {
                ".devcontainer/devcontainer.json": '// c\n{"postAttachCommand": "deno task dev",'
                ' "forwardPorts": [8123],}'
            },
        ),
        [("devcontainer", "", "deno task dev", 8123)],
    ),
    "a client and a server": (
        (
            {
                "client/package.json": VITE,
                "server/pyproject.toml": "[tool.uv]",
                "server/main.py": "app = FastAPI()",
            },
        ),
        [
            ("client", "client", "npm run dev", 5173),
            ("server", "server", "uv run uvicorn main:app --reload", 8000),
        ],
    ),
    "nothing": (({"README.md": "hello"},), []),
    "no JSON": (({"package.json": "{", "turbo.json": "[" * 50_000, "pyproject.toml": "x ="},), []),
    "values of other types": (
        (
            {
                "package.json": package(
                    scripts={"dev": ["vite"], "start": {"a": 1}}, workspaces=3, packageManager=[]
                )
            },
        ),
        [],
    ),
    "a command that hides itself": (({"package.json": package(scripts={"dev": "vite\u202e\x1b[2K"})},), []),
}


@pytest.mark.parametrize("case", CASES)
def test_start_commands(case):
    files, wanted = CASES[case]
    assert found(*files) == wanted


def test_compose_files_are_named_and_not_run():
    made = detect(Files(frozenset(["compose.yaml", "deploy/docker-compose.dev.yml", "decompose.yaml"])))
    assert (made.servers, made.compose_files) == ((), ("compose.yaml", "deploy/docker-compose.dev.yml"))


def test_servers_of_one_folder_name_have_names_of_their_own():
    names = [name for name, *_ in found({"a/web/package.json": VITE, "b/web/package.json": VITE})]
    assert names == ["web", "web-2"]


def test_a_hostile_repo_is_read_within_bounds(tmp_path):
    (tmp_path / "secret").write_text("hush")
    repo = tmp_path / "repo"
    (repo / "a/b/c/d").mkdir(parents=True)
    (repo / "node_modules/x").mkdir(parents=True)
    for folder in ("", "a/b/c/d", "node_modules/x"):
        (repo / folder / "package.json").write_text(VITE)
    (repo / "Procfile").symlink_to(tmp_path / "secret")
    (repo / "link").symlink_to(tmp_path)
    os.mkfifo(repo / "Makefile")
    (repo / "pyproject.toml").write_bytes(b"#" * (MAX_TEXT + 1))
    (repo / "bad\x1bname").write_text("")
    files = snapshot(repo)
    assert set(files.texts) == {"package.json"}
    assert files.paths == {"package.json", "pyproject.toml"}
    assert snapshot(tmp_path / "nowhere").paths == frozenset()
