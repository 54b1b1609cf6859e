"""Starts the tunnel daemon with a person's session: systemd or launchd."""
