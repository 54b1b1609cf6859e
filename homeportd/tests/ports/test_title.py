"""What a person would call a dev server."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.ports.title import MAX_TITLE, title


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("node /srv/app/node_modules/.bin/vite --port 5173", "vite"),
        ("node /srv/app/node_modules/vite/bin/vite.js", "vite"),
        ("node /srv/app/node_modules/.pnpm/vite@8.0.0/node_modules/vite/bin/vite.js", "vite"),
        ("/usr/bin/node --max-http-header-size=1 node_modules/.bin/astro dev", "astro"),
        ("node --require /x/hook.js node_modules/@angular/cli/bin/ng.js serve", "angular"),
        ("node node_modules/react-scripts/scripts/start.js", "react-scripts"),
        ("node node_modules/webpack-dev-server/bin/webpack-dev-server.js", "webpack"),
        ("node node_modules/next/dist/bin/next dev", "next"),
        ("node server.js", "server.js"),
        ("node -e require('http')", "node"),
        ("nodejs dist/index.js", "shop"),
        ("tsx src/server.ts", "server.ts"),
        ("bun run dev", "dev"),
        ("bun --hot server.ts", "server.ts"),
        ("deno run -A server.ts", "server.ts"),
        ("deno task dev", "deno task dev"),
        ("npm run dev", "npm run dev"),
        ("python3 -m http.server 8000", "http.server"),
        ("/usr/bin/python3.12 -X dev -m http.server", "http.server"),
        ("python -m uvicorn app:app", "uvicorn"),
        ("python -m flask run", "flask"),
        ("python -m django runserver", "django"),
        ("/srv/app/.venv/bin/python manage.py runserver 0.0.0.0:8000", "django"),
        ("/srv/app/.venv/bin/python /srv/app/.venv/bin/uvicorn app:app --reload", "uvicorn"),
        ("/usr/bin/python3 /usr/bin/gunicorn app:app", "gunicorn"),
        ("python app.py", "app.py"),
        ("python __main__.py", "shop"),
        ("python", "python"),
        ("python -m jupyterlab", "jupyter"),
        ("ruby bin/rails server", "rails"),
        ("php -S localhost:8000", "php"),
        ("php artisan serve", "laravel"),
        ("php -S 127.0.0.1:8000 /srv/app/vendor/laravel/framework/src/server.php", "laravel"),
        ("/home/ada/.cache/go-build123/b001/exe/main", "go run"),
        ("./target/debug/api", "api"),
        ("/usr/sbin/nginx -g daemon", "nginx"),
        ("/usr/bin/docker-proxy -proto tcp -host-port 3000", "docker"),
        ("ssh -L 3000:localhost:3000 host", "ssh"),
        ("sh ./serve.sh", "serve.sh"),
        ("-bash", "bash"),
    ],
)
def test_command_lines(command, expected):
    assert title(command.split(), Path("/srv/shop")) == expected


@pytest.mark.parametrize(
    ("rewritten", "expected"),
    [
        ("puma 6.4.2 (tcp://localhost:3000) [blog]", "puma"),
        ("next-server (v16.0.1)", "next"),
        ("nginx: master process /usr/sbin/nginx", "nginx"),
        ("gunicorn: master [app:app]", "gunicorn"),
    ],
)
def test_rewritten_titles(rewritten, expected):
    assert title([rewritten]) == expected


@pytest.mark.parametrize("argv", [(), ("",), (" ",)])
def test_nothing_to_go_by(argv):
    assert title(argv) is None


@given(st.lists(st.text(max_size=20), max_size=6), st.sampled_from([None, Path("/"), Path("/srv/x")]))
def test_any_command_line_has_a_short_printable_title_or_none(argv, cwd):
    found = title(argv, cwd)
    assert found is None or (0 < len(found) <= MAX_TITLE and found.isprintable())


@given(
    st.sampled_from(["node", "python", "php", "bun", "deno", "sh", "npm", "/home/ada/.cache/go-build/x"]),
    st.lists(
        st.sampled_from(["-m", "-c", "-e", "-S", "run", "task", "x", "/", ".", "", "-", "node_modules/", "@"])
    ),
)
def test_odd_arguments_of_interpreters_do_no_harm(program, rest):
    found = title([program, *rest], None)
    assert found is None or found.isprintable()
