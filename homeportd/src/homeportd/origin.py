"""The origin of every port, and of the dashboard, made from the one pattern that the inventory sets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

_PATTERN = re.compile(
    r"(?P<scheme>https?)://\{port\}(?P<joint>[.-])(?P<host>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:(?P<number>[0-9]{1,5}))?"
)

# The editor's origin, as a number among those of ports: nothing can listen on it.
EDITOR: Final = 0
# What stands for {port} in the addresses of Homeport's own programs. No service or reservation may have such a name.
NAMES: Final = {EDITOR: "code"}
RESERVED: Final = frozenset((*NAMES.values(), "opencode", "admin"))


def name_of_port(port: int) -> str:
    """What stands for {port} in the pattern: the number, or the name of one of Homeport's own programs."""
    return NAMES.get(port) or str(port)


@dataclass(frozen=True)
class Origin:
    """The address of each port, as a pattern: `http://{port}.localhost:8080`, `https://{port}-dev.example.com`.

    The dashboard lives at the same pattern without the port: `http://localhost:8080`,
    `https://dev.example.com`. Its origin never equals that of a port, so a dev server cannot use its cookies.
    """

    pattern: str

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(self.pattern):
            raise ValueError(
                f"origin {self.pattern!r} is not of the form http://{{port}}.example.com[:8080]"
                " or https://{port}-dev.example.com, in lower case"
            )

    @cached_property
    def _match(self) -> re.Match[str]:
        match = _PATTERN.fullmatch(self.pattern)
        assert match is not None  # noqa: S101 - checked when this object was made
        return match

    @property
    def scheme(self) -> str:
        """`http` or `https`, as the visitor sees it."""
        return self._match["scheme"]

    @cached_property
    def dashboard(self) -> str:
        """The origin of the dashboard, without a trailing slash."""
        return self.pattern.replace("{port}" + self._match["joint"], "")

    def of_port(self, port: int, label: str = "") -> str:
        """The origin of one port, without a trailing slash; with a label, the one of that name below the port's."""
        return self.pattern.replace("{port}", f"{label}.{port}" if label else name_of_port(port))

    def host_of_port(self, port: int) -> str:
        """The host of that origin."""
        return self.of_port(port).partition("://")[2].partition(":")[0]
