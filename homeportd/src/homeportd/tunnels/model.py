"""A tunnel as its owner wishes it, and the states it can be in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from homeportd.networks import parse_network
from homeportd.tunnels.address import Target
from homeportd.tunnels.protocol import Kind, Limits, Open


class State(StrEnum):
    """Of a tunnel, as its client knows it."""

    OFFLINE = "offline"  # no link to the edge
    OPENING = "opening"  # asked for
    LIVE = "live"
    REFUSED = "refused"  # the edge said no; it is asked again now and then
    TAKEN_OVER = "taken-over"  # a newer client has it: not asked for again
    KILLED = "killed"  # by the edge's owner: not asked for again
    REVOKED = "revoked"  # the token was


FINAL = frozenset((State.TAKEN_OVER, State.KILLED, State.REVOKED))


class TunnelSpec(BaseModel):
    """What a person asked for. `target` is dialled from `source`, an address of this machine, if that is set."""

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
    label: Annotated[str, Field(max_length=64)] | None = None  # who made it, such as `share 3000`

    @field_validator("allow")
    @classmethod
    def _networks(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(parse_network(text)) for text in allow)

    def open(self, request: int, name: str | None, port: int | None, *, again: bool = False) -> Open:
        """The message that asks for it; `name` and `port` are what it had before, if it was open (`again`)."""
        return Open(
            request=request,
            kind=self.kind,
            name=self.name or name,
            port=self.port or port,
            reserve=self.name is not None or self.port is not None,
            again=again,
            host=self.host,
            allow=self.allow,
            passcode=self.passcode,
            limits=self.limits,
        )

    def same_place(self, other: TunnelSpec) -> bool:
        """Whether both ask for one and the same: the same name or port, or without either the same server."""
        if self.kind is not other.kind or (self.name, self.port) != (other.name, other.port):
            return False
        if self.name is not None or self.port is not None:
            return True
        return (self.target, self.host, self.label) == (other.target, other.host, other.label)
