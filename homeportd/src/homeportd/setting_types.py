"""Types that the settings of several rooms share: the base of their models, paths, addresses with a port."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class RoomSettings(BaseModel):
    """Base of the settings of a room: an unknown key is an error, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"{path} is not an absolute path")
    return path


def _host_port(text: str) -> str:
    host, colon, number = text.rpartition(":")
    if not colon or not number.isdigit() or not 1 <= int(number) <= 65535:
        raise ValueError(f"{text!r} is not of the form 127.0.0.1:7070")
    ip_address(host.strip("[]"))
    return text


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
HostPort = Annotated[str, AfterValidator(_host_port)]  # `127.0.0.1:7070`, `[::1]:7070`
