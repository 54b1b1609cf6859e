"""How long headless Chromium takes for the cold load of a Vite page of many modules, by several addresses.

`bench/gateway.py --page` uses it: a dev server that serves each module by itself is what makes a gateway's cost for
one request felt. It needs playwright, a Chromium and a folder of node_modules that holds Vite.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

MODULES = 1500
FAN_OUT = 12  # modules that one module imports
LOAD_S = 60  # seconds that one load may take


def write_project(folder: Path, modules: int = MODULES) -> None:
    """Write a Vite project whose page ends with the title `<modules> <milliseconds since the navigation began>`.

    The modules form a tree, so that the browser learns of them in a few waves, as in a real application.
    """
    source = folder / "src"
    source.mkdir(parents=True)
    for number in range(modules):
        children = range(number * FAN_OUT + 1, min(number * FAN_OUT + FAN_OUT + 1, modules))
        imports = "".join(f'import {{ count as c{child} }} from "./m{child}.ts";\n' for child in children)
        total = " + ".join(["1", *(f"c{child}" for child in children)])
        # About a kilobyte, as a small component has.
        body = "".join(
            f"export const line{line}: string = 'module {number}, line {line}';\n" for line in range(16)
        )
        (source / f"m{number}.ts").write_text(f"{imports}export const count: number = {total};\n{body}")
    (source / "main.ts").write_text(
        'import { count } from "./m0.ts";\ndocument.title = `${count} ${performance.now()}`;\n'
    )
    (folder / "index.html").write_text(
        '<!doctype html><title>loading</title><link rel="icon" href="data:,">'
        '<script type="module" src="/src/main.ts"></script>\n'
    )
    (folder / "package.json").write_text('{"name": "page", "private": true, "type": "module"}\n')
    (folder / "vite.config.js").write_text(
        "export default { server: { watch: null, hmr: false }, optimizeDeps: { noDiscovery: true } };\n"
    )


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium: the system's, or else playwright's own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as play:
        running = play.chromium.launch(
            executable_path=program, args=["--no-sandbox"] if os.getuid() == 0 else []
        )
        try:
            yield running
        finally:
            running.close()


def load(chromium: Browser, address: str, modules: int = MODULES) -> float:
    """Seconds of one load with an empty cache, from navigation to the last module's run."""
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.goto(address, wait_until="commit", timeout=LOAD_S * 1000)
        page.wait_for_function(f"document.title.startsWith('{modules} ')", timeout=LOAD_S * 1000)
        return float(page.title().split()[1]) / 1000
    finally:
        context.close()


def loads(ways: dict[str, str], rounds: int, modules: int = MODULES) -> dict[str, list[float]]:
    """Seconds of the loads by each address, in turns; a first load of each is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    with browser() as chromium:
        for address in ways.values():
            load(chromium, address, modules)
        for turn in range(rounds):
            for name, address in ways.items():
                times[name].append(load(chromium, address, modules))
                print(f"load {turn + 1}: {name}: {times[name][-1]:.2f} s", flush=True)
    return times


def vite(modules_folder: Path) -> list[str]:
    """The command of Vite. Raises SystemExit where it is not there."""
    node = shutil.which("node")
    program = modules_folder / "vite" / "bin" / "vite.js"
    if node is None or not program.exists():
        raise SystemExit(f"{program} is missing; fix: npm install in homeportd/ui, or --node-modules FOLDER")
    return [node, str(program)]
