"""A visitor inside a bare container, which has Python's standard library and no curl.

    python3 visit.py < REQUESTS

REQUESTS is a JSON list; the answers are printed as one. A request, always to 127.0.0.1, is one of
  {"http": PORT, "host": NAME}, with "method", "path", "headers" and "body" as wanted
  {"tcp": PORT, "text": TEXT}, {"udp": PORT, "text": TEXT}
The answer to the first is {"status", "headers", "cookies", "body"}, to the others the text that came back; where none
came it is {"status": 0, "error"}.
"""

import http.client
import http.cookies
import json
import socket
import sys
from typing import Any

TIMEOUT_S = 10


def ask_http(request: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", request["http"], timeout=TIMEOUT_S)
    headers = {"Host": request["host"], "Accept": "*/*", **request.get("headers", {})}
    body = request.get("body")
    connection.request(request.get("method", "GET"), request.get("path", "/"), body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    for line in answer.headers.get_all("Set-Cookie", []):
        cookies.load(line)
    return {
        "status": answer.status,
        "headers": {name.lower(): value for name, value in answer.getheaders()},
        "cookies": {name: morsel.value for name, morsel in cookies.items()},
        "body": text,
    }


def ask_tcp(port: int, text: str) -> str:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read().decode()


def ask_udp(port: int, text: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(("127.0.0.1", port))
        connection.send(text.encode())
        return connection.recv(65536).decode()


def answer(request: dict[str, Any]) -> Any:
    try:
        if "http" in request:
            return ask_http(request)
        if "tcp" in request:
            return ask_tcp(request["tcp"], request["text"])
        return ask_udp(request["udp"], request["text"])
    except (OSError, http.client.HTTPException) as error:
        return {"error": f"{type(error).__name__}: {error}", "status": 0}


print(json.dumps([answer(request) for request in json.load(sys.stdin)]))
