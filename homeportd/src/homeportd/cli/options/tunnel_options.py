"""Options of tunnels: one class for HTTP, TCP and UDP, in the foreground and in the daemon.

`TunnelOptions` declares each option once, with the commands that take it; `takes_options` gives a command the
options of its kinds; `tunnel_specs` makes tunnels of what a person wrote.
"""

from __future__ import annotations

import copy
import functools
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_type_hints

import typer

from homeportd.cli.errors import REQUEST, USAGE, Failure
from homeportd.cli.options import passwords
from homeportd.cli.options.targets import (
    KINDS,
    allowed_network,
    expand,
    parse_external_port,
    parse_name,
    parse_target,
)
from homeportd.tunnels.address import Target

if TYPE_CHECKING:
    from homeportd.tunnels.model import TunnelSpec  # pydantic: too slow for help and completion

LEAST_RATE: Final = 1024  # bytes a second, as the protocol has it
_RATE: Final = re.compile(r"([0-9]{1,12})([kMG]?)B?")
_UNITS: Final = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_HTTP: Final = {"commands": frozenset({"http"})}
_TCP_UDP: Final = {"commands": frozenset({"tcp", "udp"})}
# Taken by all, so that http and udp say why they have it not; their help does not show it.
_TCP: Final = {"commands": frozenset(KINDS), "hidden": frozenset({"http", "udp"})}
_HTTP_TCP: Final = {"commands": frozenset({"http", "tcp"})}
_EACH: Final = {"commands": frozenset({*KINDS, "reservation"})}
_HTTP_RESERVATION: Final = {"commands": frozenset({"http", "reservation"})}

KindArgument = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="http, tcp or udp.",
        autocompletion=lambda incomplete: [kind for kind in KINDS if kind.startswith(incomplete)],
    ),
]
Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET",
        help="A port, host:port or [address]:port, for HTTP with https:// or h2c:// before it where the server speaks"
        " that; several are several tunnels. Each may have its name or port at"
        " the edge behind an equals sign: 3000=myapp, or for TCP and UDP 5432=25432. A range is a tunnel for each"
        " port: 27015-27020=27015-27020.",
    ),
]


@dataclass(frozen=True)
class TunnelOptions:
    """The options of tunnels. Each field is an option of the commands in its metadata."""

    domain: Annotated[
        str | None,
        typer.Option("--domain", metavar="NAME", help="The name to have at the edge, such as myapp."),
    ] = field(default=None, metadata=_HTTP)
    reserve_port: Annotated[
        int | None,
        typer.Option("--reserve-port", min=1, max=65535, metavar="N", help="The port to have at the edge."),
    ] = field(default=None, metadata=_TCP_UDP)
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="CIDR", help="Let in this network alone; may be repeated."),
    ] = field(default=None, metadata=_EACH)
    max_connections: Annotated[
        int | None,
        typer.Option(
            "--max-connections", min=1, max=100_000, metavar="N", help="Let in so many connections at a time."
        ),
    ] = field(default=None, metadata=_EACH)
    max_rate: Annotated[
        str | None,
        typer.Option(
            "--max-rate", metavar="SIZE", help="Carry so much a second each way, such as 500k or 20M."
        ),
    ] = field(default=None, metadata=_EACH)
    passcode: Annotated[
        bool, typer.Option("--passcode", help="Let in who knows a passcode (HTTP); asks for it.")
    ] = field(default=False, metadata=_HTTP_RESERVATION)
    passcode_stdin: Annotated[
        bool, typer.Option("--passcode-stdin", help="The same, with the passcode from standard input.")
    ] = field(default=False, metadata=_HTTP_RESERVATION)
    host_header: Annotated[
        str,
        typer.Option(
            "--host-header",
            metavar="localhost|keep|NAME",
            help="What a web server sees as its own name: localhost and its port, which dev servers accept (a server"
            " of another machine: its address), keep, the public name, or another, such as myapp.test:3000.",
        ),
    ] = field(default="auto", metadata=_HTTP)
    subdomains: Annotated[
        bool,
        typer.Option(
            "--subdomains", help="Let each name below lead here too, such as foo.myapp.tunnel.example.com."
        ),
    ] = field(default=False, metadata=_HTTP_RESERVATION)
    proxy_protocol: Annotated[
        str | None,
        typer.Option(
            "--proxy-protocol",
            metavar="v1|v2",
            help="Tell the server each visitor's address by the PROXY protocol (TCP), which it must be set to read.",
        ),
    ] = field(default=None, metadata=_TCP)
    yes: Annotated[
        bool, typer.Option("--yes", help="Share a debugger with everybody, too, without being asked.")
    ] = field(default=False, metadata=_HTTP_TCP)

    def check(self, kind: str) -> None:
        """Raises Failure unless tunnels of this kind have the options that were given."""
        self.limits()
        if kind == "http" and self.reserve_port:
            raise Failure("--reserve-port is for TCP and UDP", "use --domain for HTTP", USAGE)
        if kind != "http" and (self.domain or self.passcode or self.passcode_stdin):
            raise Failure("--domain and --passcode are for HTTP", "use --reserve-port and --allow", USAGE)
        if self.proxy_protocol is not None:
            self._check_proxy_protocol(kind)

    def _check_proxy_protocol(self, kind: str) -> None:
        from homeportd.tunnels.model import NO_PROXY_PROTOCOL
        from homeportd.tunnels.protocol import Kind

        if kind != "tcp":
            reason = NO_PROXY_PROTOCOL[Kind(kind)]
            raise Failure(f"--proxy-protocol is for TCP: {reason}", "leave it out", USAGE)
        if self.proxy_protocol not in ("v1", "v2"):
            fix = "write v1 or v2, whichever the server reads"
            raise Failure(f"{self.proxy_protocol!r} is no version of the PROXY protocol", fix, USAGE)

    def networks(self) -> list[str]:
        """The allowlist, normalised. Raises Failure."""
        return [allowed_network(text) for text in self.allow or []]

    def limits(self) -> dict[str, int]:
        """The limits that were given, as the protocol has them. Raises Failure."""
        limits = {}
        if self.max_connections is not None:
            limits["connections"] = self.max_connections
        if self.max_rate is not None:
            match = _RATE.fullmatch(self.max_rate.strip())
            rate = int(match[1]) * _UNITS[match[2]] if match else 0
            if rate < LEAST_RATE:
                raise Failure(
                    f"{self.max_rate!r} is no rate",
                    f"write {LEAST_RATE} bytes a second or more, such as 500k or 20M",
                    USAGE,
                )
            limits["bytes_per_second"] = rate
        return limits

    def read_passcode(self) -> str | None:
        """The passcode, from the terminal or standard input, where there is to be one. Raises Failure."""
        if self.passcode and self.passcode_stdin:
            raise Failure("--passcode and --passcode-stdin exclude each other", "choose one", USAGE)
        if self.passcode:
            return passwords.ask("the tunnel", "passcode")
        return passwords.from_stdin("passcode") if self.passcode_stdin else None


def takes_options(*commands: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the parameter `options` of a command is written out as the fields that `commands` have."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        options = [
            _hidden(parameter) if of.metadata.get("hidden", frozenset()).issuperset(commands) else parameter
            for parameter, of in zip(_parameters(), fields(TunnelOptions), strict=True)
            if not of.metadata["commands"].isdisjoint(commands)
        ]
        names = {parameter.name for parameter in options}
        signature = inspect.signature(function, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.name == "options":
                parameters += options
            else:
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

        def command(**given: Any) -> None:
            chosen = TunnelOptions(**{name: given.pop(name) for name in names})
            function(**given, options=chosen)

        command.__doc__ = function.__doc__
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def _hidden(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter of an option that help does not show."""
    kind, option = get_args(parameter.annotation)
    option = copy.copy(option)
    option.hidden = True
    return parameter.replace(annotation=Annotated[kind, option])


@functools.cache
def _parameters() -> tuple[inspect.Parameter, ...]:
    """The fields of TunnelOptions as parameters of a function."""
    hints = get_type_hints(TunnelOptions, include_extras=True)
    return tuple(
        inspect.Parameter(
            each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name]
        )
        for each in fields(TunnelOptions)
    )


def tunnel_specs(kind: str, targets: Iterable[str], options: TunnelOptions) -> list[TunnelSpec]:
    """The tunnels that a person asked for, one a target; a passcode is read last. Raises Failure."""
    from pydantic import ValidationError

    from homeportd.tunnels.model import TunnelSpec

    written = [target for text in targets for target in expand(text)]
    if len(written) > 1 and (options.domain or options.reserve_port):
        flag, example = ("--domain", "3000=myapp") if options.domain else ("--reserve-port", "5432=25432")
        raise Failure(
            f"{flag} is for one target, and there are {len(written)}",
            f"write the {'name' if options.domain else 'port'} behind each: {example}",
            USAGE,
        )
    common = {"kind": kind, "allow": options.networks(), "limits": options.limits()}
    made = [common | _of_target(kind, text, options) for text in written]
    endpoints = [each.get("name") or each.get("port") for each in made]
    chosen = [endpoint for endpoint in endpoints if endpoint is not None]
    if len(set(chosen)) < len(chosen):
        raise Failure(
            "two targets ask for the same name or port", "give each a name or port of its own", USAGE
        )
    passcode = options.read_passcode()
    try:
        return [TunnelSpec.model_validate(each | {"passcode": passcode}) for each in made]
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(str(part) for part in first["loc"])
        raise Failure(f"{what}: {first['msg']}", f"homeport {kind} --help", REQUEST) from None


def _of_target(kind: str, text: str, options: TunnelOptions) -> dict[str, Any]:
    """The fields of a TunnelSpec in one target, `3000` or `3000=myapp`. Raises Failure."""
    local, has_external, external = text.partition("=")
    target = parse_target(local, kind)
    if kind == "http":
        name = options.domain if options.domain is not None else external if has_external else None
        return {
            "target": str(target),
            "name": None if name is None else parse_name(name),
            "host": _host(options.host_header, target),
            "subdomains": options.subdomains,
        }
    port = options.reserve_port or (parse_external_port(external) if has_external else None)
    return {"target": str(target), "port": port, "proxy_protocol": options.proxy_protocol}


def _host(header: str, target: Target) -> str | None:
    if header == "keep":
        return None
    if header not in ("auto", "localhost"):
        return header
    if target.is_unix:
        return "localhost"
    return target.netloc if header == "auto" else f"localhost:{target.port}"
