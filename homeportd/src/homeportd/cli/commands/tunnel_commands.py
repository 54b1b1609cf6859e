"""The commands about tunnels, put together: names, examples. See `commands`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from homeportd.cli.commands import accounts, daemon, domains, foreground, reservations, tunnels

Commands = tuple[tuple[str, Callable[..., None], tuple[str, ...]], ...]

TOP: Final[Commands] = (
    (
        "init",
        accounts.init,
        (
            "homeport init --edge https://tunnel.example.com",
            "homeport init --edge https://tunnel.example.com --token-stdin < token.txt",
        ),
    ),
    (
        "http",
        foreground.http,
        (
            "homeport http 3000 --domain myapp",
            "homeport http 3000=web 8000=api",
            "homeport http 3000 --allow 203.0.113.0/24 --passcode",
        ),
    ),
    ("tcp", foreground.tcp, ("homeport tcp 22 --reserve-port 20022", "homeport tcp 5432=25432 6379=26379")),
    (
        "udp",
        foreground.udp,
        ("homeport udp 51820 --reserve-port 20820", "homeport udp 27015-27020=27015-27020"),
    ),
)
GROUPS: Final[tuple[tuple[str, str, Commands], ...]] = (
    (
        "daemon",
        "Start, stop and see the tunnel daemon.",
        (
            ("start", daemon.start, ("homeport daemon start",)),
            ("stop", daemon.stop, ("homeport daemon stop",)),
            (
                "status",
                daemon.status,
                ("homeport daemon status", "homeport daemon status --json | jq .tunnels"),
            ),
            ("run", daemon.run, ("homeport daemon run",)),
        ),
    ),
    (
        "tunnels",
        "List, add, remove and kill tunnels.",
        (
            ("list", tunnels.show, ("homeport tunnels list",)),
            (
                "add",
                tunnels.add,
                ("homeport tunnels add http 3000 --domain myapp", "homeport tunnels add udp 51820=20820"),
            ),
            ("remove", tunnels.remove, ("homeport tunnels remove myapp",)),
            ("kill", tunnels.kill, ("homeport tunnels kill myapp",)),
        ),
    ),
    (
        "reservations",
        "Keep names and ports at the edge.",
        (
            ("list", reservations.list_reservations, ("homeport reservations list",)),
            (
                "add",
                reservations.add_reservation,
                (
                    "homeport reservations add http myapp",
                    "homeport reservations add tcp 20022 --allow 192.0.2.0/24",
                    "homeport reservations add udp 27015-27020",
                ),
            ),
            (
                "change",
                reservations.change_reservation,
                (
                    "homeport reservations change myapp --allow 203.0.113.0/24",
                    "homeport reservations change 20022 --allow-all --max-connections 10",
                ),
            ),
            (
                "remove",
                reservations.remove_reservation,
                ("homeport reservations remove myapp", "homeport reservations remove 27015-27020"),
            ),
        ),
    ),
    (
        "domains",
        "Let your own domains lead to reserved names.",
        (
            ("list", domains.list_domains, ("homeport domains list", "homeport domains list --json")),
            (
                "add",
                domains.add_domain,
                ("homeport reservations add http myapp", "homeport domains add app.example.org myapp"),
            ),
            ("check", domains.check_domain, ("homeport domains check app.example.org",)),
            ("remove", domains.remove_domain, ("homeport domains remove app.example.org",)),
        ),
    ),
)
# What each group does alone.
ALONE: Final[dict[str, Callable[[bool], None]]] = {
    "daemon": daemon.status,
    "tunnels": tunnels.show,
    "reservations": reservations.list_reservations,
    "domains": domains.list_domains,
}
