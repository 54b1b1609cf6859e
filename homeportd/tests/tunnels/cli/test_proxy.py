"""A person behind a company's proxy, with the installed command, a real edge, and a daemon."""

from __future__ import annotations

import json
from pathlib import Path

import psutil

from ...http_proxy import proxying
from .conftest import echoes, until


def test_init_keeps_the_proxy_for_the_daemon(bare, edge, token, server) -> None:
    with proxying("alice:s3cr/t") as proxy:
        url, target = f"http://127.0.0.1:{proxy.port}", f"127.0.0.1:{edge.listen}"
        refused = bare("init", "--edge", edge.url, "--proxy", url, "--token-stdin", input=token)
        assert refused.returncode != 0
        assert "wants a user and a password (407)" in refused.stderr
        assert "--proxy http://USER@" in refused.stderr
        shown = bare("init", "--proxy", f"http://alice:s3cr@127.0.0.1:{proxy.port}", "--edge", edge.url)
        assert "a password on the command line is seen by other users" in shown.stderr
        assert proxy.targets == []
        # First the edge, then the way to it: standard input has one secret.
        assert bare("init", "--edge", edge.url, "--token-stdin", input=token).returncode == 0
        named = f"http://alice@127.0.0.1:{proxy.port}"
        done = bare("init", "--proxy", named, "--proxy-password-stdin", input="s3cr/t")
        assert done.returncode == 0, done.stderr
        assert proxy.targets == [target]
        file = Path(bare.environment["HOME"], ".config/homeport/edge.toml")
        assert file.stat().st_mode & 0o777 == 0o600
        assert bare("daemon", "start").returncode == 0
        (added,) = json.loads(bare("tunnels", "add", "tcp", str(server), "--json").stdout)
        assert echoes(added["address"]), added
        assert len(proxy.targets) > 1
        daemon = psutil.Process(json.loads(bare("daemon", "status", "--json").stdout)["pid"])
        assert "s3cr" not in " ".join(daemon.cmdline())
        doctor = bare("doctor", "--json")
        (check,) = (c for c in json.loads(doctor.stdout)["checks"] if c["name"] == "proxy")
        assert (check["state"], check["detail"]) == ("ok", f"{url}, kept by homeport init, with a password")
        assert "s3cr" not in doctor.stdout
    until(lambda: "proxy" in bare("daemon", "status").stdout, "the daemon says that the proxy is gone")
    assert bare("init", "--proxy", "none").returncode == 0
    until(lambda: echoes(added["address"]), "the daemon goes without it")
