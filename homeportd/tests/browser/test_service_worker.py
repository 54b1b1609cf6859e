"""A service worker of a shared page wants the owner's right: it sees the one-time code, and gets nothing for it."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

PAGE = """<!doctype html><title>Shared</title><h1>Shared</h1><script>
navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)
  .then(() => { document.title = 'Watched' })
</script>"""
WORKER = """
self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', event => event.waitUntil(clients.claim()))
self.addEventListener('fetch', event => {
  const url = event.request.url
  if (!url.includes('/.homeport/enter')) return
  event.respondWith((async () => {
    const taken = __MINE__ ? await fetch(url, { redirect: 'manual', credentials: 'include' }) : null
    return new Response(`${taken && taken.type} ${taken && taken.status} ${url}`)
  })())
})
"""


@pytest.mark.parametrize("mine", ["true", "false"], ids=["in the browser", "elsewhere"])
def test_a_worker_that_takes_the_code_is_not_the_owner(workstation, contexts, mine):
    number = workstation.first
    folder = workstation.repo("shared")
    (folder / "index.html").write_text(PAGE)
    (folder / "worker.js").write_text(WORKER.replace("__MINE__", mine))
    workstation.serve(folder, number)
    workstation.call("POST", f"/api/ports/{number}/share", {"mode": "public"})
    page = contexts().new_page()
    page.goto(workstation.port_url(number))
    expect(page).to_have_title("Watched")
    workstation.call("DELETE", f"/api/ports/{number}/share")

    page.goto(workstation.login_link())
    page.goto(f"{workstation.url}/handoff?port={number}")
    said = page.content()
    assert "/.homeport/enter?code=" in said, "the worker saw the code"
    assert "403" in said or mine == "false"
    stolen = urlsplit(page.url)
    with closing(HTTPConnection("127.0.0.1", workstation.front)) as elsewhere:
        elsewhere.request("GET", f"{stolen.path}?{stolen.query}", headers={"Host": stolen.netloc})
        assert elsewhere.getresponse().status == 410
    cookies = {cookie["name"] for cookie in page.context.cookies(workstation.port_url(number))}
    assert "homeport_owner" not in cookies

    # The way out: logging out of the port unregisters what it has installed.
    page.goto(f"{workstation.port_url(number)}/.homeport/logout")
    page.goto(f"{workstation.url}/handoff?port={number}")
    expect(page.get_by_role("heading")).to_have_text("Shared")
