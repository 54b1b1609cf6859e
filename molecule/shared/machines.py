"""What the tests of every scenario share: site.yml, its recap, its preview on machines that know nothing of it."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from testinfra import get_host, get_hosts
from testinfra.host import Host

ROOT = Path(__file__).parents[2]
EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = SCENARIO / "inventory"
# The scenario's own, where its machines are not all set up as root.
SITE = next(path for path in (SCENARIO / "converge.yml", ROOT / "site.yml") if path.exists())
PLACE = {"ansible_inventory": str(INVENTORY), "ssh_identity_file": str(EPHEMERAL / "id_ed25519")}

MARK = "/run/before-preview"
# Written by SSH, systemd and Ansible's own connection whatever the playbook does.
NOISE = (
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",
    "/var/tmp",
    "/var/log",
    "~root/.ansible",
    "/home/dev/.ansible",
    "/var/lib/systemd",
)
# A change of the controller's cache, not of the host; the preview may have made it.
BUILD = "artifact : Build the dashboard and the agent"


def machine(name: str) -> Host:
    """One machine of the inventory."""
    return get_host(f"ansible://{name}", **PLACE)


def machines(group: str) -> list[Host]:
    """All machines of a group."""
    return get_hosts([f"ansible://{group}"], **PLACE)


def playbook(*arguments: str, file: Path = SITE) -> dict[str, dict[str, int]]:
    """Run site.yml on the machines, or another one; the recap by host: {"debian12": {"ok": 40, "changed": 0, ...}}."""
    result = subprocess.run(
        ["ansible-playbook", f"--inventory={INVENTORY}", *arguments, file],
        cwd=ROOT,
        # Molecule asks for colours where it was started on a terminal; the recap is read as plain text.
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return recap(result.stdout)


def recap(output: str) -> dict[str, dict[str, int]]:
    last = output.rpartition("PLAY RECAP")[2]
    return {
        host: {word: int(number) for word, number in re.findall(r"(\w+)=(\d+)", counts)}
        for host, counts in re.findall(r"^.*?(\S+)\s+: (ok=.*)$", last, re.MULTILINE)
    }


def preview(group: str) -> dict[str, dict[str, int]]:
    """One preview of all machines, after a mark that `newer` compares with; the recap."""
    for host in machines(group):
        host.check_output("touch %s && sleep 1.1", MARK)
    return playbook("--check", "--diff")


def newer(host: Host) -> list[str]:
    """The files of a machine that changed since its preview began."""
    pruned = " -o ".join(f"-path {path}" for path in NOISE)
    return host.check_output(f"find / -xdev \\( {pruned} \\) -prune -o -cnewer {MARK} -print").split()


def assert_the_preview_was_true(host: Host) -> None:
    """All that the virgin machine's preview announced happened, and no role did something unannounced.

    Within a role the preview may tell less than the run: it says that a release will be made, not each step.
    """
    runs = changes((EPHEMERAL / "ansible.log").read_text(), host.backend.host)
    homeport = [{task for task in run if " : " in task} - {BUILD} for run in runs]
    announced, real = [run for run in homeport if run][:2]
    assert announced - real == set(), "announced, but did not happen"
    roles = [{task.partition(" : ")[0] for task in run} for run in (announced, real)]
    assert roles[0] == roles[1]


def changes(log: str, host: str) -> list[set[str]]:
    """Of each run in Ansible's log, the tasks that changed this host; handlers included."""
    runs = []
    for run in log.split("PLAY RECAP")[:-1]:
        task = ""
        changed = set()
        for line in run.splitlines():
            if match := re.search(r"(?:TASK|HANDLER) \[(.+?)\] \*", line):
                task = match[1]
            elif re.search(rf"changed: \[{re.escape(host)}[\] ]", line):
                changed.add(task)
        runs.append(changed)
    return runs


def pids(host: Host, units: tuple[str, ...]) -> dict[str, str]:
    """The main process of each unit."""
    return {unit: host.check_output("systemctl show --property=MainPID --value %s", unit) for unit in units}


def exposure(host: Host, unit: str) -> float:
    """systemd-analyze's figure: 10 is a root shell, below 3 it says OK."""
    report = host.check_output("systemd-analyze security --no-pager %s", unit)
    match = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
    assert match, report
    return float(match[1])


def wait_for(condition: Callable[[], object], seconds: float = 15.0) -> object:
    """The first true value of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.2)
    return value
