"""A client behind a company's proxy: whose it is, the way through it, and an error with its fix for each failure."""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace

import pytest
import trustme

from homeportd.tunnels import proxy_connect
from homeportd.tunnels.account import Account
from homeportd.tunnels.address import EdgeAddress
from homeportd.tunnels.errors import TunnelError
from homeportd.tunnels.link import ClientIdentity, Link
from homeportd.tunnels.protocol import Kind
from homeportd.tunnels.proxy import VARIABLES, Proxy, find

from ..http_proxy import proxying
from .conftest import opened, until
from .small_edge import Edge

ME = ClientIdentity("run", "laptop")


@pytest.fixture(autouse=True)
def no_proxy_here(monkeypatch):
    for name in {"NO_PROXY", "no_proxy", *sum(VARIABLES.values(), ())}:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("address", "stored", "environment", "expected"),
    [
        ("https://t.example.com", None, {}, None),
        ("https://t.example.com", None, {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://t.example.com", None, {"https_proxy": "p:3128", "HTTPS_PROXY": "q"}, "http://p:3128"),
        ("https://t.example.com", None, {"HTTP_PROXY": "http://p"}, None),
        ("http://t.example.com", None, {"HTTP_PROXY": "http://p"}, "http://p:80"),
        ("http://t.example.com", None, {"http_proxy": "https://p"}, "https://p:443"),
        ("tls://t.example.com", None, {"https_proxy": "http://[::1]:1"}, "http://[::1]:1"),
        ("https://t.example.com", None, {"ALL_PROXY": "http://a:1"}, "http://a:1"),
        ("https://t.example.com", "http://s:1", {"HTTPS_PROXY": "http://p"}, "http://s:1"),
        ("https://t.example.com", "none", {"HTTPS_PROXY": "http://p"}, None),
        # This machine needs no proxy, unless a person says so.
        ("http://tunnel.localhost:8081", None, {"HTTP_PROXY": "http://p"}, None),
        ("http://127.0.0.1:8081", None, {"HTTP_PROXY": "http://p"}, None),
        ("http://127.0.0.1:8081", "http://s:1", {}, "http://s:1"),
    ],
)
def test_the_proxy_is_the_accounts_or_the_environments(address, stored, environment, expected):
    found = find(EdgeAddress.parse(address), stored, environment)
    assert (str(found) if found else None) == expected


@pytest.mark.parametrize(
    ("listed", "direct"),
    [
        ("*", True),
        ("example.com", True),
        (".example.com", True),
        ("*.example.com", True),
        ("t.Example.com", True),
        ("other, t.example.com", True),
        ("t.example.com:8443", True),
        ("t.example.com:443", False),
        ("ample.com", False),
        ("x.t.example.com", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_exceptions(listed, direct, name):
    environment = {"HTTPS_PROXY": "http://p:1", name: listed}
    assert (find(EdgeAddress.parse("https://t.example.com:8443"), None, environment) is None) is direct


@pytest.mark.parametrize(
    ("host", "listed", "direct"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("[2001:db8::7]", "2001:db8::/32", True),
        ("[2001:db8::7]", "[2001:db8::7]", True),
        ("[2001:db9::7]", "2001:db8::/32,10.0.0.0/8", False),
    ],
)
def test_exceptions_for_networks(host, listed, direct):
    found = find(
        EdgeAddress.parse(f"https://{host}"), None, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": listed}
    )
    assert (found is None) is direct


@pytest.mark.parametrize(
    "text", ["socks5://p:1", "http://p:0", "http://p/path", "http://:1", "p\x00", "http://a:b%0a@p"]
)
def test_what_is_no_proxy(text):
    with pytest.raises(ValueError, match="HTTPS_PROXY") as caught:
        find(EdgeAddress.parse("https://t.example.com"), None, {"HTTPS_PROXY": text})
    assert "a:b" not in str(caught.value)


def test_a_password_is_never_shown():
    text = Proxy.parse("http://alice@p:1").with_password("s3cr:t/@")
    found = Proxy.parse(text)
    assert (found.user, found.password) == ("alice", "s3cr:t/@")
    account = Account("https://t.example.com", "hp_good", proxy=text)
    assert "s3cr" not in f"{found} {found!r} {account!r}"


async def test_a_tunnel_through_a_proxy_that_resolves_the_name(clients, edge, serve) -> None:
    with proxying("alice:s3cret") as proxy:
        clients.account = replace(
            clients.account,
            url=f"http://edge.test:{edge.port}",  # a name that this machine does not know
            proxy=f"http://alice:s3cret@127.0.0.1:{proxy.port}",
        )
        client = await clients.start(links=2)
        await opened(client, Kind.TCP, await serve())
        await until(lambda: proxy.targets == [f"edge.test:{edge.port}"] * 2)
        await clients.close()


async def test_the_environments_proxy(edge, monkeypatch) -> None:
    account = Account(f"http://edge.test:{edge.port}", "hp_good")
    with proxying() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        link = await Link.of(account, 0, ME)
        await link.close()
        assert proxy.targets == [f"edge.test:{edge.port}"]
    monkeypatch.setenv("NO_PROXY", ".test")
    with pytest.raises(TunnelError, match="cannot be resolved"):
        await Link.of(account, 0, ME)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("scheme", ["http", "https", "tls"])
async def test_every_kind_of_edge_through_every_kind_of_proxy(
    secure, scheme, nothing_left, tmp_path, ports
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    contexts = []
    for name in ("edge.test", "localhost"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        contexts.append(context)
    edge = Edge(ports)
    await edge.start(tls=None if scheme == "http" else contexts[0], raw=scheme == "tls")
    with proxying(tls=contexts[1] if secure else None) as proxy:
        account = Account(
            f"{scheme}://edge.test:{edge.port}",
            "hp_good",
            ca=str(tmp_path / "ca.pem"),
            proxy=f"http{'s' if secure else ''}://localhost:{proxy.port}",
        )
        link = await Link.of(account, 0, ME)
        assert link.welcome.edge == "small"
        await link.close()
        await edge.stop()


@pytest.mark.parametrize(
    ("answer", "detail", "fix"),
    [
        (b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n", "refuses the user and password", "USER@"),
        (b"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n", "wants NTLM", "cntlm"),
        (b"HTTP/1.1 403 x\r\n\r\n", "does not let connections to edge.test:7 through", "allow CONNECT"),
        (b"HTTP/1.1 503 x\r\n\r\n", "cannot reach edge.test:7", "NO_PROXY"),
        (b"HTTP/1.1 405 x\r\n\r\n", "answers 405 to CONNECT", "takes CONNECT"),
        (b"SSH-2.0-x\r\n\r\n", "no HTTP proxy", "port"),
        (b"HTTP/1.1 200 x\r\n\r\nmore", "what nobody asked for", "port"),
        (b"", "does not answer for 0.5 s", "edge is up"),
    ],
)  # fmt: skip
async def test_a_proxy_that_says_no(nothing_left, monkeypatch, answer, detail, fix) -> None:
    monkeypatch.setattr(proxy_connect, "ANSWER_S", 0.5)
    with proxying(answer=answer) as proxy:
        account = Account(
            "http://edge.test:7", "hp_good", proxy=f"http://alice:s3cret@127.0.0.1:{proxy.port}"
        )
        with pytest.raises(TunnelError, match=detail) as caught:
            await Link.of(account, 0, ME)
    assert fix in caught.value.fix
    assert "s3cret" not in f"{caught.value} {caught.value.fix}"


async def test_a_proxy_that_is_not_there(nothing_left) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        account = Account("http://edge.test:7", "hp_good", proxy=f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(TunnelError, match=r"the proxy .* cannot be reached: Connection refused"):
            await Link.of(account, 0, ME)
