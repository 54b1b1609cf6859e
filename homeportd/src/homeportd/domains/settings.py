"""The settings of people's own domains: their certificates from Traefik, and the DNS server to ask."""

from __future__ import annotations

from homeportd.edge.settings import EdgeSettings
from homeportd.setting_types import AbsolutePath, HostPort


class DomainsSettings(EdgeSettings):
    """The `[edge]` table: an edge and the domains that lead to its names."""

    domain_resolver: str | None = None  # Traefik's for people's own domains, which are refused without it
    log: AbsolutePath | None = None  # Traefik's own, JSON: says why a certificate could not be had
    tls_probe: HostPort | None = None  # Traefik's TLS; None: url's port, on loopback
    acme_ca: AbsolutePath | None = None  # authorities to check certificates against; None: the system's
    acme_caa: str = "letsencrypt.org"  # how CAA records name the certificate authority
    dns_server: HostPort | None = None  # None: the system's, and port 53 everywhere

    def url_of_domain(self, domain: str) -> str:
        """The address of an HTTP tunnel by a domain of its own, without a trailing slash."""
        return f"{self.scheme}://{domain}{f':{self.port}' if self.port else ''}"

    @property
    def probe(self) -> str:
        """The address of Traefik's TLS on this machine, as ADDRESS:PORT."""
        return self.tls_probe or f"127.0.0.1:{self.port or 443}"
