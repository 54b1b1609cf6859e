"""Names that an installation with root has on every host: accounts, folders of the system, retired parts."""

from __future__ import annotations

GROUP = "homeport"  # shared by the agent and Caddy
OWN_USER = "homeport"  # made where root itself installs, and on an edge that is no workstation
OWN_COMMENT = "Homeport"  # of the account that the role homeportd makes, and of no person's

SOFTWARE = "/opt/homeport"
STATE = "/srv/homeport"
OWN_HOME = f"{STATE}/home"
SETTINGS = "/etc/homeport"

UNITS = "/etc/systemd/system"
TMPFILES = "/etc/tmpfiles.d"
