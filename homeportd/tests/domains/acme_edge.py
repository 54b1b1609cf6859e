"""The real Traefik before an edge, with the certificate resolvers that the role `traefik` gives it."""

from __future__ import annotations

import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx

from homeportd.domains.settings import DomainsSettings

from ..authorities import KEY_ALGORITHM, KEY_NAME, Knot, Pebble
from ..edge.helper import until_async
from ..traefik import SECURE, configure

BASE = "t.edge.test"
# One zone for both sides, within which knot follows a CNAME for Pebble, which asks no recursive resolver.
ZONES = {"test": "t.edge A 127.0.0.1\nt.edge A 127.0.0.2\n*.t.edge A 127.0.0.1", "apex.test": ""}
ANY_HOST = "PathPrefix(`/`)"


@dataclass
class AcmeEdge:
    """Addresses of what runs. Traefik listens on 127.0.0.1 alone."""

    folder: Path
    settings: DomainsSettings
    knot: Knot
    pebble: Pebble | None
    web: int
    tls: int
    process: subprocess.Popen[bytes] | None = None

    async def start_traefik(self, challenge: dict[str, object]) -> None:
        """Start it, and wait until the edge answers through it."""
        command = configure(
            self.folder,
            self.settings.routes_dir,
            self.settings.listen,
            {"web": self.web, SECURE: self.tls},
            rule=ANY_HOST,
            accessLog={"filePath": str(self.settings.access_log), "format": "json"},
            log={"level": "INFO", "format": "json", "filePath": str(self.settings.log)},
            **(self._resolvers(challenge, self.pebble) if self.pebble else {}),
        )
        self.process = subprocess.Popen(command, env={**os.environ, **self._dns01()})
        await until_async(self._answers, 90)

    def stop_traefik(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(3)  # it waits for the authority, for long
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    async def ask(
        self, domain: str, path: str = "/", *, trust: bool = True, **options: object
    ) -> httpx.Response:
        """As a visitor of a domain; `trust`: a certificate that does not hold is an httpx.ConnectError."""
        context = ssl.create_default_context(cafile=self.pebble.root if self.pebble else None)
        if not trust:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        secure = self.settings.scheme == "https"
        port = self.tls if secure else self.web
        headers = {"Host": f"{domain}:{port}", **options.pop("headers", {})}
        async with httpx.AsyncClient(verify=context, timeout=60) as client:
            return await client.request(
                options.pop("method", "GET"),
                f"{self.settings.scheme}://127.0.0.1:{port}{path}",
                headers=headers,
                extensions={"sni_hostname": domain},
                **options,
            )

    def refusals(self) -> int:
        """How often the authority has refused, by Traefik's log."""
        return self.settings.log.read_text().count("Unable to obtain ACME certificate")

    async def _answers(self) -> bool:
        try:
            return "There is no tunnel" in (await self.ask(f"none.{BASE}", trust=False)).text
        except httpx.TransportError:
            return False

    def _resolvers(self, challenge: dict[str, object], pebble: Pebble) -> dict[str, object]:
        acme = {
            "email": "owner@example.test",
            "caServer": pebble.directory,
            "caCertificates": [str(pebble.ca)],
        }
        dns01 = {
            "provider": "rfc2136",
            "resolvers": [self.knot.address],
            "propagation": {"disableChecks": True, "delayBeforeChecks": "0s"},
        }
        return {
            "certificatesResolvers": {
                "homeport-domains": {
                    "acme": {**acme, "storage": str(self.folder / "domains.json"), **challenge}
                },
                "homeport-wildcard": {
                    "acme": {**acme, "storage": str(self.folder / "wildcard.json"), "dnsChallenge": dns01}
                },
            }
        }

    def _dns01(self) -> dict[str, str]:
        return {
            "RFC2136_NAMESERVER": self.knot.address,
            "RFC2136_TSIG_KEY": KEY_NAME,
            "RFC2136_TSIG_ALGORITHM": f"{KEY_ALGORITHM}.",
            "RFC2136_TSIG_SECRET": self.knot.key,
            "RFC2136_SEQUENCE_INTERVAL": "1",
            "RFC2136_POLLING_INTERVAL": "1",
        }
