"""Real projects, unchanged, in a real browser: Vite 8 with hot reload, Next 16 with a server action."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import async_playwright, expect

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is missing"),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is missing"),
]

PASSWORD = "open sesame"
expect.set_options(timeout=60_000)
INSTALL_S = 180
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homeport-tests"

NEXT_PAGE = """
import { revalidatePath } from 'next/cache'
export const dynamic = 'force-dynamic'
let said = 'nothing'
export default function Page() {
  async function say(form) {
    'use server'
    said = form.get('word')
    revalidatePath('/')
  }
  return <main><h1>Next heading</h1><p id="said">{said}</p>
    <form action={say}><input name="word" /><button>Say</button></form></main>
}
"""
NEXT_LAYOUT = "export default function Layout({ children }) { return <html><body>{children}</body></html> }\n"


async def run(folder: Path, *command: str) -> None:
    """A command that must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env={**os.environ, "CI": "1"},
    )  # fmt: skip
    async with asyncio.timeout(INSTALL_S):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def vite_project(target: Path) -> None:
    """The React template of Vite, installed once and copied for each test."""
    kept = CACHE / "vite-9.3.0"
    if not (kept / "app/node_modules/.bin/vite").exists():
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        create = ("create", "vite@9.3.0", "app", "--", "--template", "react", "--no-interactive")
        await run(kept, "npm", "--yes", *create)
        await run(kept / "app", "npm", "install", "--no-audit", "--no-fund")
    shutil.copytree(kept / "app", target, symlinks=True)


async def next_project(target: Path) -> None:
    """One page with a server action."""
    kept = CACHE / "next-16"
    if not (kept / "app/node_modules/.bin/next").exists():
        shutil.rmtree(kept, ignore_errors=True)
        (kept / "app").mkdir(parents=True)
        await run(kept / "app", "npm", "init", "--yes")
        await run(kept / "app", "npm", "pkg", "set", "type=module")
        await run(kept / "app", "npm", "install", "--no-audit", "--no-fund", "next@16", "react", "react-dom")
    shutil.copytree(kept / "app", target, symlinks=True)
    (target / "app").mkdir()
    (target / "app/page.jsx").write_text(NEXT_PAGE)
    (target / "app/layout.jsx").write_text(NEXT_LAYOUT)


@asynccontextmanager
async def dev_server(folder: Path, port: int, *command: str):
    """A dev server in its own process group, up when the block begins."""
    environment = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", "BROWSER": "none"}
    with (folder.parent / "dev.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False, timeout=60) as client:
            while True:
                try:
                    await client.get(f"http://localhost:{port}/")
                    break
                except httpx.TransportError:
                    assert process.returncode is None, (folder.parent / "dev.log").read_text()
                    await asyncio.sleep(0.1)
        yield
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
            await process.wait()


@asynccontextmanager
async def browsing(**options: object):
    """A page of a fresh browser, and the errors it met."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = await browser.new_page(**options)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page, errors
        await browser.close()


async def test_vite_with_hot_reload_until_the_share_goes(tmp_path, make_gateway, vacant):
    app = tmp_path / "vite"
    await vite_project(app)
    command = ("node_modules/.bin/vite", "--port", str(vacant), "--strictPort")
    async with dev_server(app, vacant, *command), make_gateway(tmp_path / "gateway") as gateway:
        await gateway.listening(vacant)
        await gateway.share(vacant, "password", password=PASSWORD, expires="1h")
        async with browsing(viewport={"width": 375, "height": 700}) as (page, errors):
            sockets = []
            page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - playwright marks it
            await page.goto(gateway.origin(vacant) + "/")
            field = page.get_by_label("Password")
            await expect(field).to_be_focused()
            assert await page.evaluate("document.documentElement.scrollWidth") <= 375
            await field.fill("wrong")
            await field.press("Enter")
            await expect(page.get_by_role("alert")).to_contain_text("not the password")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Open").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("Get started")
            await page.get_by_role("button", name="Count is 0").click()
            await expect(page.get_by_role("button", name="Count is 1")).to_be_visible()
            assert len(sockets) == 1
            source = app / "src/App.jsx"
            source.write_text(source.read_text().replace("Get started", "Hot reload"))
            await expect(page.get_by_role("heading", level=1)).to_have_text("Hot reload")
            # Replaced in place, not by a reload: the state is still there.
            await expect(page.get_by_role("button", name="Count is 1")).to_be_visible()
            closed = asyncio.Event()
            sockets[0].on("close", lambda _: closed.set())
            await gateway.unshare(vacant)
            async with asyncio.timeout(30):
                await closed.wait()
            assert errors == []


async def test_the_owner_reaches_a_private_vite_by_the_handoff(tmp_path, make_gateway, vacant):
    app = tmp_path / "vite"
    await vite_project(app)
    command = ("node_modules/.bin/vite", "--port", str(vacant), "--strictPort")
    async with dev_server(app, vacant, *command), make_gateway(tmp_path / "gateway") as gateway:
        await gateway.listening(vacant)
        link = (await gateway.owner.post("/api/login-links")).json()["url"]
        async with browsing() as (page, errors):
            await page.goto(link)
            await page.goto(f"{gateway.origin()}/{vacant}/")
            await expect(page.get_by_role("heading", level=1)).to_have_text("Get started")
            assert page.url == gateway.origin(vacant) + "/"
            names = {cookie["name"] for cookie in await page.context.cookies(gateway.origin(vacant))}
            assert names == {"homeport_owner", "homeport_owner_repo"}
            assert errors == []


async def test_next_with_a_server_action(tmp_path, make_gateway, vacant):
    app = tmp_path / "next"
    await next_project(app)
    command = ("node_modules/.bin/next", "dev", "--port", str(vacant))
    async with dev_server(app, vacant, *command), make_gateway(tmp_path / "gateway") as gateway:
        await gateway.listening(vacant)
        await gateway.share(vacant)
        async with browsing() as (page, errors):
            page.set_default_timeout(30_000)
            await page.goto(gateway.origin(vacant) + "/")
            await expect(page.locator("h1")).to_have_text("Next heading")
            await page.locator("input[name=word]").fill("hello")
            await page.get_by_role("button", name="Say").click()
            await expect(page.locator("#said")).to_have_text("hello", timeout=20_000)
            source = app / "app/page.jsx"
            source.write_text(source.read_text().replace("Next heading", "Hot heading"))
            await expect(page.locator("h1")).to_have_text("Hot heading", timeout=20_000)
            assert errors == []
