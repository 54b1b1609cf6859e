"""Specifications of tunnels, and the states that a tunnel can be in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from homeportd.networks import parse_network
from homeportd.tunnels.address import Target
from homeportd.tunnels.protocol import Kind, Limits, Open


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


class TunnelSpec(BaseModel):
    """A tunnel as a person asked for it: kind, local server, name or port at the edge, rules.

    `target` is dialled from `source`, an address of this machine, where that is set. `host`: what an HTTP server sees
    as its own host and port, such as `localhost:3000`; None: the public name.
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
    source: Annotated[str, Field(max_length=64)] | None = None
    label: Annotated[str, Field(max_length=64)] | None = None  # what made it, such as `share 3000`

    @field_validator("allow")
    @classmethod
    def _networks(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(parse_network(text)) for text in allow)

    def open_message(self, request: int, name: str | None, port: int | None, *, again: bool = False) -> Open:
        """The `open` for this tunnel. `name`, `port`: what it had before, if it was open (`again`)."""
        return Open(
            request=request,
            kind=self.kind,
            name=self.name or name,
            port=self.port or port,
            reserve=self.name is not None or self.port is not None,
            again=again,
            allow=self.allow,
            passcode=self.passcode,
            limits=self.limits,
        )

    def same_endpoint(self, other: TunnelSpec) -> bool:
        """Whether both ask for the same name or port, or without either for the same local server."""
        if self.kind is not other.kind or (self.name, self.port) != (other.name, other.port):
            return False
        if self.name is not None or self.port is not None:
            return True
        return (self.target, self.host, self.label) == (other.target, other.host, other.label)
