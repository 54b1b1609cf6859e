"""The command line that starts a dev server on a given port."""

from __future__ import annotations

import pytest

from homeportd.servers.port_flags import environment, target, with_port

SCRIPTS = {
    "dev": "vite",
    "start:dev": "npm run dev",
    "twice": "npm run start:dev",
    "env": "cross-env NODE_ENV=development npx vite --open",
    "built": "npm run build && astro dev",
    "build": "vite build",
    "many": "concurrently 'vite' 'node api.js'",
    "pipe": "vite | tee log",
    "fixed": "vite --port 3000 --host",
    "express": "node index.js",
    "start": "ng serve",
    "loop": "npm run loop",
    "web#dev": "next dev --turbo",
}


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("npm run dev", "npm run dev -- --port 4100 --strictPort"),
        ("pnpm run dev", "pnpm run dev --port 4100 --strictPort"),
        ("pnpm dev", "pnpm dev --port 4100 --strictPort"),
        ("yarn dev", "yarn dev --port 4100 --strictPort"),
        ("bun run dev", "bun run dev --port 4100 --strictPort"),
        ("npm start", "npm start -- --port 4100"),
        ("npm run start:dev", "npm run start:dev -- -- --port 4100 --strictPort"),
        ("npm run twice", "npm run twice -- -- -- --port 4100 --strictPort"),
        ("npm run env", "npm run env -- --port 4100 --strictPort"),
        ("npm run built", "npm run built -- --port 4100"),
        ("npm run build", "npm run build"),
        ("npm run dev -- --host", "npm run dev -- --host --port 4100 --strictPort"),
        ("npm run many", "npm run many"),
        ("npm run pipe", "npm run pipe"),
        ("npm run express", "npm run express"),
        ("npm run loop", "npm run loop"),
        ("npm run fixed", 'PATH="$PWD/node_modules/.bin:$PATH"; export PATH; vite --port 4100 --host'),
        ("npx turbo run dev --filter=web", "npx turbo run dev --filter=web -- -p 4100 -H 127.0.0.1"),
        ("next dev", "next dev -p 4100 -H 127.0.0.1"),
        ("npx next dev -p 3000", "npx next dev -p 4100"),
        ("nuxi dev", "nuxi dev --port 4100 --host 127.0.0.1"),
        ("npx expo start", "npx expo start --port 4100"),
        ("rsbuild dev", "rsbuild dev --port 4100"),
        ("react-router dev", "react-router dev --port 4100 --strictPort"),
        ("webpack serve --mode development", "webpack serve --mode development --port 4100"),
        ("storybook dev", "storybook dev -p 4100 --no-open --ci"),
        ("uv run python manage.py runserver", "uv run python manage.py runserver 127.0.0.1:4100"),
        ("python manage.py runserver 0.0.0.0:8000", "python manage.py runserver 0.0.0.0:4100"),
        ("python3 -m flask --app app run", "python3 -m flask --app app run --port 4100"),
        ("poetry run uvicorn main:app --reload", "poetry run uvicorn main:app --reload --port 4100"),
        ("python3 -m http.server", "python3 -m http.server 4100 --bind 127.0.0.1"),
        ("bin/rails server", "bin/rails server -p 4100 -b 127.0.0.1"),
        ("bundle exec jekyll serve", "bundle exec jekyll serve --port 4100 --host 127.0.0.1"),
        ("hugo server -D", "hugo server -D --port 4100 --bind 127.0.0.1"),
        ("my-server --listen $PORT", "my-server --listen $PORT"),
        ("make dev", "make dev"),
        ("echo 'unbalanced", "echo 'unbalanced"),
    ],
)
def test_with_port(command, wanted):
    assert with_port(command, SCRIPTS, 4100) == wanted


def test_a_number_that_is_right_stays():
    assert with_port("npm run fixed", SCRIPTS, 3000) == "npm run fixed"
    assert target("npm run fixed", SCRIPTS).port == 3000


def test_every_variable_has_the_port():
    assert {environment(4100)[name] for name in ("PORT", "FLASK_RUN_PORT", "UVICORN_PORT")} == {"4100"}
