"""What a local server is told of its visitors' requests, and what becomes of its own names in its responses."""

from __future__ import annotations

import pytest

from homeportd.tunnels.http.messages import Exchange
from homeportd.tunnels.http.names import LocalNames, Url

OWN_ADDRESS = "192.0.2.44"


def exchange(netloc="localhost:3000", scheme="https", host="localhost", speaks="http"):
    return Exchange(LocalNames(host, 3000, netloc, lambda address: address == OWN_ADDRESS, speaks), scheme)


def told(made, **fields):
    """The fields of a request, as the server gets them."""
    names = {name: name.replace("_", "-") for name in fields}
    lines = "".join(f"{names[name]}: {value}\r\n" for name, value in fields.items())
    head = made.request(f"GET / HTTP/1.1\r\n{lines}\r\n".encode()).decode()
    return dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])


def visited(made, host="app.example.com", **more):
    proto = more.pop("proto", "https")
    return told(
        made, Host=host, X_Forwarded_Host=host, X_Forwarded_Proto=proto, X_Forwarded_Port="443", **more
    )


def answered(made, field, host="app.example.com"):
    """A field of a response, as the visitor gets it."""
    visited(made, host)
    head = made.response(f"HTTP/1.1 302 Found\r\n{field}\r\nContent-Length: 0\r\n\r\n".encode())
    return head.decode().split("\r\n")[1]


@pytest.mark.parametrize("public", ["app.example.com", "app.example.net:8443", "[2001:db8::7]:8081"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("netloc", "speaks", "port"),
    [("localhost:3000", "http", "3000"), ("my.test", "http", "80"), ("localhost:3000", "https", "3000")],
)
def test_a_server_that_sees_a_local_name_sees_it_everywhere(scheme, public, netloc, speaks, port):
    own = f"{scheme}://{public}"
    made = exchange(netloc, scheme, speaks=speaks)
    assert visited(made, public, proto="wss", Origin=own, Referer=f"{own}/a?b=c") == {
        "Host": netloc,
        "X-Forwarded-Host": netloc,
        "X-Forwarded-Proto": speaks,
        "X-Forwarded-Port": port,
        "Origin": f"{speaks}://{netloc}",
        "Referer": f"{speaks}://{netloc}/a?b=c",
    }


def test_a_server_that_sees_the_public_name_sees_it_everywhere():
    own = "https://app.example.com"
    assert visited(exchange(None), proto="wss", Origin=own, Referer=f"{own}/a") == {
        "Host": "app.example.com",
        "X-Forwarded-Host": "app.example.com",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "443",
        "Origin": own,
        "Referer": f"{own}/a",
    }


@pytest.mark.parametrize(
    "foreign",
    [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://app.example.com.evil.example",
        "https://app.example.com@evil.example",
        "https://sub.app.example.com",
        "http://localhost:3000",
        "null",
        "",
    ],
)
def test_foreign_origins_arrive_as_they_are(foreign):
    seen = visited(exchange(), Origin=foreign, Referer=foreign)
    assert (seen["Origin"], seen["Referer"]) == (foreign, foreign)


def test_an_origin_is_own_however_its_port_is_written():
    seen = visited(exchange(), "APP.example.com:443", Origin="https://app.example.com")
    assert seen["Origin"] == "http://localhost:3000"


@pytest.mark.parametrize("name", ["Location", "Content-Location", "SourceMap"])
@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("http://localhost:3000/a?b#c", "/a?b#c"),
        ("http://LOCALHOST.:3000", "/"),
        ("http://localhost:3000?a", "/?a"),
        ("https://localhost:3000/a", "/a"),
        ("//localhost:3000/a", "/a"),
        ("http://127.0.0.1:3000/a", "/a"),
        ("http://127.9.9.9:3000/a", "/a"),
        ("http://[::1]:3000/a", "/a"),
        ("http://0.0.0.0:3000/a", "/a"),
        ("http://[::]:3000/a", "/a"),
        (f"http://{OWN_ADDRESS}:3000/a", "/a"),
        # No reference that names a host may come of it.
        ("http://localhost:3000//evil.example", "/.//evil.example"),
        ("http://localhost:3000/\\evil.example", "/./\\evil.example"),
        ("http://localhost:3000\\/evil.example", "/.//evil.example"),
        ("http://localhost:3000/\t/evil.example", "/.//evil.example"),
        # Somebody else's.
        ("http://localhost:3001/a", "http://localhost:3001/a"),
        ("http://localhost/a", "http://localhost/a"),
        ("http://192.0.2.45:3000/a", "http://192.0.2.45:3000/a"),
        ("http://localhost:3000@evil.example/", "http://localhost:3000@evil.example/"),
        ("http://localhost.evil.example:3000/", "http://localhost.evil.example:3000/"),
        ("https://app.example.com/a", "https://app.example.com/a"),
        ("/a", "/a"),
        ("//evil.example/a", "//evil.example/a"),
        ("a?http://localhost:3000/", "a?http://localhost:3000/"),
        ("ftp://localhost:3000/a", "ftp://localhost:3000/a"),
    ],
)
def test_references_to_own_names_become_relative(name, said, heard):
    assert answered(exchange(), f"{name}: {said}") == f"{name}: {heard}"


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Refresh: 5; url=http://localhost:3000/a", "Refresh: 5; url=/a"),
        ('refresh: 0;URL="http://127.0.0.1:3000/a b"', 'refresh: 0;URL="/a b"'),
        ("Refresh: 3", "Refresh: 3"),
        ("Refresh: 3; url=http://example.com/", "Refresh: 3; url=http://example.com/"),
        (
            "Link: <http://localhost:3000/a.css>; rel=preload, <https://example.com/b>; rel=next",
            "Link: </a.css>; rel=preload, <https://example.com/b>; rel=next",
        ),
        ("Set-Cookie: a=b; Domain=localhost; Path=/", "Set-Cookie: a=b; Path=/"),
        ("Set-Cookie: a=b; path=/; domain=.LocalHost", "Set-Cookie: a=b; path=/"),
        ("Set-Cookie: a=b;Domain=127.0.0.1;Secure", "Set-Cookie: a=b;Secure"),
        ("Set-Cookie: a=b; Domain=example.com", "Set-Cookie: a=b; Domain=example.com"),
        ("Set-Cookie: domain=localhost", "Set-Cookie: domain=localhost"),
        (
            "Access-Control-Allow-Origin: http://localhost:3000",
            "Access-Control-Allow-Origin: https://app.example.com",
        ),
        ("Access-Control-Allow-Origin: *", "Access-Control-Allow-Origin: *"),
        (
            "Access-Control-Allow-Origin: http://evil.example",
            "Access-Control-Allow-Origin: http://evil.example",
        ),
    ],
)
def test_the_other_fields_that_name_the_server(said, heard):
    assert answered(exchange(), said) == heard


def test_the_allowed_origin_is_the_name_that_the_visitor_used():
    field = "Access-Control-Allow-Origin: http://localhost:3000"
    made = exchange()
    for host in ("app.example.com", "app.example.net:8443"):
        assert answered(made, field, host) == f"Access-Control-Allow-Origin: https://{host}"


def test_a_name_that_was_given_is_one_of_the_server_s():
    made = exchange("www.my.test")
    assert answered(made, "Location: http://www.my.test/a") == "Location: /a"
    assert answered(made, "Location: http://localhost:3000/a") == "Location: /a"
    assert answered(made, "Set-Cookie: a=b; Domain=.my.test") == "Set-Cookie: a=b"
    assert answered(made, "Location: http://www.my.test:81/a") == "Location: http://www.my.test:81/a"
    # A name below localhost is one site of several.
    made = exchange("4800.localhost:3000")
    assert answered(made, "Location: http://4800.localhost:3000/a") == "Location: /a"
    assert answered(made, "Location: http://localhost:3000/a") == "Location: http://localhost:3000/a"


def test_a_server_of_another_machine_has_that_machine_s_names():
    made = Exchange(LocalNames("192.0.2.9", 3000, "192.0.2.9:3000", lambda _address: False), "https")
    assert answered(made, "Location: http://192.0.2.9:3000/a") == "Location: /a"
    assert answered(made, "Location: http://192.0.2.10:3000/a") == "Location: http://192.0.2.10:3000/a"


FAMILY = LocalNames(
    "localhost", 3000, "localhost:3000", lambda _address: False, public=Url.parse("https://app.example.com")
)


def test_a_name_below_the_tunnel_s_is_one_below_the_server_s():
    own = "https://foo.app.example.com"
    made = Exchange(FAMILY, "https")
    seen = visited(made, "foo.app.example.com", Origin=own, Referer=f"{own}/a")
    assert (seen["Host"], seen["X-Forwarded-Host"]) == ("foo.localhost:3000", "foo.localhost:3000")
    assert (seen["Origin"], seen["Referer"]) == ("http://foo.localhost:3000", "http://foo.localhost:3000/a")
    # Its neighbours are the server's as well; nobody else is.
    for origin, local in (
        ("https://app.example.com", "http://localhost:3000"),
        ("https://bar.app.example.com", "http://bar.localhost:3000"),
        ("https://a.b.app.example.com", "https://a.b.app.example.com"),
        ("https://example.com", "https://example.com"),
        ("https://other.example.com", "https://other.example.com"),
    ):
        assert visited(made, "foo.app.example.com", Origin=origin)["Origin"] == local


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Location: http://foo.localhost:3000/a", "Location: /a"),
        ("Location: http://localhost:3000/a", "Location: https://app.example.com/a"),
        ("Location: http://bar.localhost:3000//a", "Location: https://bar.app.example.com//a"),
        ("Location: http://foo.example.com:3000/a", "Location: http://foo.example.com:3000/a"),
        ("Set-Cookie: a=b; Domain=localhost; Secure", "Set-Cookie: a=b; Domain=app.example.com; Secure"),
        ("Set-Cookie: a=b; Domain=foo.localhost", "Set-Cookie: a=b"),
        (
            "Access-Control-Allow-Origin: http://bar.localhost:3000",
            "Access-Control-Allow-Origin: https://bar.app.example.com",
        ),
    ],
)
def test_names_below_on_the_way_back(said, heard):
    assert answered(Exchange(FAMILY, "https"), said, "foo.app.example.com") == heard
