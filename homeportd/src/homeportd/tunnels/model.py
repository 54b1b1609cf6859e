"""Specifications of tunnels, and the states that a tunnel can be in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from homeportd.networks import parse_network
from homeportd.tunnels.address import Target
from homeportd.tunnels.protocol import Kind, Limits, Open, ProxyProtocol


class State(StrEnum):
    """The state of a tunnel, as its client knows it."""

    OFFLINE = "offline"  # no link to the edge
    OPENING = "opening"  # requested
    LIVE = "live"
    REFUSED = "refused"  # by the edge; it is requested again now and then
    TAKEN_OVER = "taken-over"  # by a newer client; not requested again
    KILLED = "killed"  # by the edge's owner; not requested again
    REVOKED = "revoked"  # the token of it; not requested again


FINAL = frozenset((State.TAKEN_OVER, State.KILLED, State.REVOKED))
# Why a tunnel of another kind than TCP has no PROXY protocol.
NO_PROXY_PROTOCOL = {
    Kind.HTTP: "an HTTP connection of the edge carries requests of many visitors: their addresses are in the header"
    " X-Forwarded-For of each request",
    Kind.UDP: "the PROXY protocol is about connections, and UDP has none",
}


class TunnelSpec(BaseModel):
    """A tunnel as a person asked for it: kind, local server, name or port at the edge, rules.

    `host`: what an HTTP server sees as its own host and port, such as `localhost:3000`; None: the public name.
    `proxy_protocol`, `workstation`, `subdomains`: see `protocol.Open`. A label is of one tunnel at most.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Kind
    target: Annotated[str, AfterValidator(lambda text: str(Target.parse(text)))]
    name: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    host: Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9.:\[\]-]+$")] | None = None
    allow: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    passcode: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    limits: Limits = Limits()
    proxy_protocol: ProxyProtocol | None = None
    workstation: bool = False
    subdomains: bool = False
    label: Annotated[str, Field(max_length=64)] | None = None  # what made it, such as `share 3000`

    @field_validator("allow")
    @classmethod
    def _networks(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(parse_network(text)) for text in allow)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> TunnelSpec:
        if self.proxy_protocol is not None and self.kind is not Kind.TCP:
            raise ValueError(NO_PROXY_PROTOCOL[self.kind])
        if self.kind is Kind.UDP and Target.parse(self.target).is_unix:
            raise ValueError("datagrams have no unix socket to go to")
        if self.subdomains and self.kind is not Kind.HTTP:
            raise ValueError("subdomains are of HTTP names")
        if self.kind is not Kind.HTTP and Target.parse(self.target).scheme is not None:
            raise ValueError(
                "https:// and the like are for HTTP; a TCP tunnel carries what it is given, TLS too"
            )
        return self

    def open_message(
        self, request: int, name: str | None, port: int | None, *, again: bool = False, http2: bool = False
    ) -> Open:
        """The `open` for this tunnel. `name`, `port`: what it had before, if it was open (`again`)."""
        return Open(
            request=request,
            kind=self.kind,
            name=self.name or name,
            port=self.port or port,
            reserve=self.name is not None or self.port is not None,
            again=again,
            http2=http2,
            host=self.host if http2 else None,
            allow=self.allow,
            passcode=self.passcode,
            limits=self.limits,
            proxy_protocol=self.proxy_protocol,
            workstation=self.workstation,
            subdomains=self.subdomains,
        )

    def same_endpoint(self, other: TunnelSpec) -> bool:
        """Whether both ask for the same name or port, or without either for the same local server.

        Those with a label: whether both have the same one.
        """
        if self.label is not None and self.label == other.label:
            return True
        if self.kind is not other.kind or (self.name, self.port) != (other.name, other.port):
            return False
        if self.name is not None or self.port is not None:
            return True
        return (self.target, self.host, self.label) == (other.target, other.host, other.label)
