"""The dashboard answers to some networks alone; shared ports do not know of that."""

from __future__ import annotations

import pytest

HOME = "203.0.113.0/28"


@pytest.fixture
async def narrow(dev, tmp_path, make_gateway):
    """A gateway whose dashboard is for HOME alone; X-Forwarded-For says where a request comes from."""
    async with make_gateway(tmp_path, trusted=("127.0.0.1",), admin_allow=[HOME, "2001:db8::/32"]) as made:
        yield made


async def test_other_networks_are_refused_before_anything_is_asked(narrow, dev):
    token = {"Authorization": f"Bearer {await narrow.token()}"}

    async def ask(path: str, address: str | None, **headers: str) -> int:
        sent = {**headers, "X-Forwarded-For": address} if address else headers
        return (await narrow.get(None, path, headers=sent)).status_code

    proxied = f"/api/proxy/{dev.port}/"
    for address, status in (
        ("203.0.113.9", 200),
        ("2001:db8::1", 200),
        ("203.0.113.99", 403),
        ("203.0.113.9, 198.51.100.1", 403),  # the last is the proxy's own word
        ("127.0.0.1", 403),
        (None, 403),
    ):
        assert await ask("/api/session", address, **token) == status, address
        assert await ask(proxied, address, **token) == status, address
        assert await ask("/api/health", address) == 200
    for path in ("/", "/login/x", f"/handoff?port={dev.port}", "/api/session"):
        assert await ask(path, "198.51.100.1") == 403, path
    answer = await narrow.get(None, "/", headers={"X-Forwarded-For": "198.51.100.1", "Accept": "text/html"})
    assert "198.51.100.1" in answer.text
    assert "homeportd_admin_allow" in answer.text
    assert (await narrow.owner.get("/api/session")).status_code == 200, "the command line is not concerned"


async def test_ports_are_open_to_whom_they_are_shared_with(narrow, dev):
    await narrow.share(dev.port)
    answer = await narrow.get(dev.port, headers={"X-Forwarded-For": "198.51.100.1"})
    assert answer.status_code == 200
