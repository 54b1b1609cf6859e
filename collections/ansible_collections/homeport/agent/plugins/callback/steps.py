# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""The terminal of bin/site: one line a step that changed something or took its time, and a panel at the end.

What is unchanged and quick is left out (-v shows it). On a terminal the step at work is shown with its
seconds, so a long one is never silent. Errors are shown as the roles wrote them: `error: …`, `fix: …`.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: steps
type: stdout
author: Homeport (@homeport)
short_description: One line a step with its time, and the panel of bin/site
description: The output of bin/site and of ansible-playbook in this repository.
extends_documentation_fragment:
  - default_callback
"""

import json
import os
import shutil
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from ansible.plugins.callback import CallbackBase

SLOW = 1.0  # seconds from which a step that changed nothing is worth a line
TICK = 0.2  # seconds between two updates of the running step
WIDTH = 76  # columns, at most

# SGR codes of the terminal.
GREEN = "32"
YELLOW = "33"
RED = "31"
GREY = "90"
BOLD = "1"


class CallbackModule(CallbackBase):
    """Callbacks run in the main process, one at a time; the ticker thread only rewrites the last line."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "homeport.agent.steps"

    def __init__(self) -> None:
        super().__init__()
        self._terminal = sys.stdout.isatty()
        self._colours = self._terminal and "NO_COLOR" not in os.environ
        self._begun = time.monotonic()
        self._started: dict[str, float] = {}
        self._step = ""
        self._step_begun = 0.0
        self._guard = threading.Lock()
        self._panels: dict[str, dict[str, Any]] = {}
        self._hosts = 1
        self._ended = threading.Event()
        if self._terminal:
            threading.Thread(target=self._tick, daemon=True).start()

    # -- the running step, on a terminal only

    def _tick(self) -> None:
        while not self._ended.wait(TICK):
            seconds = time.monotonic() - self._step_begun
            with self._guard:
                if self._step and seconds >= SLOW:
                    sys.stdout.write("\r\x1b[K" + self._paint(self._line("…", self._step, seconds), GREY))
                    sys.stdout.flush()

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text

    def _line(self, mark: str, text: str, seconds: float) -> str:
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if self._terminal else WIDTH
        room = max(width - 12, 20)
        shown = text if len(text) <= room or not self._terminal else text[: room - 1] + "…"
        return f"{mark} {shown:<{room}} {seconds:6.1f} s"

    def _say(self, text: str, code: str = "") -> None:
        """Print through Ansible, which also writes it to the log where one is configured."""
        with self._guard:
            if self._terminal:
                sys.stdout.write("\r\x1b[K")
                sys.stdout.flush()
            self._display.display(self._paint(text, code) if code else text)

    # -- playbook

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._hosts = len(play.get_variable_manager()._inventory.get_hosts(play.hosts))

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._step = task.get_name().split(" : ", 1)[-1]
        self._step_begun = time.monotonic()
        self._started[task._uuid] = self._step_begun

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def v2_playbook_on_cleanup_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def _seconds(self, result: Any) -> float:
        return time.monotonic() - self._started.get(result._task._uuid, self._step_begun)

    def _title(self, result: Any) -> str:
        name = result.task_name.split(" : ", 1)[-1]
        return f"{result._host.get_name()}: {name}" if self._hosts > 1 else name

    def _details(self, result: Any) -> None:
        data = result._result
        if result._task.action.endswith("debug"):
            # A preview says what it would write where no file is there to compare it with.
            if "msg" in data and (self._diffing(result) or not data.get("changed")):
                self._say("\n".join(f"    {line}" for line in str(data["msg"]).splitlines()))
        elif self._run_is_verbose(result):
            self._say(self._dump_results(data))
        for warning in data.pop("warnings", ()):
            self._say(f"  warning: {warning}", YELLOW)

    @staticmethod
    def _diffing(result: Any) -> bool:
        return bool(result._task.diff)

    # -- results

    def v2_runner_on_ok(self, result: Any) -> None:
        data = result._result
        if "panel" in data:
            self._panels[result._host.get_name()] = data["panel"]
            self._step = ""
            return
        changed, seconds = data.get("changed", False), self._seconds(result)
        self._step = ""
        if changed:
            self._say(self._line("+", self._title(result), seconds), GREEN)
        elif seconds >= SLOW or self._display.verbosity > 0:
            self._say(self._line("·", self._title(result), seconds))
        self._details(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._step = ""
        data = result._result
        self._say(self._line("✗", self._title(result), self._seconds(result)), RED)
        parts = [data.get(key) for key in ("msg", "stdout", "stderr")]
        if "results" in data:
            parts = []  # each item was shown
        shown = [str(part).strip() for part in dict.fromkeys(parts) if part and str(part).strip()]
        self._say("\n".join(shown))
        if self._display.verbosity > 1:
            self._say(self._dump_results(data))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._step = ""
        host = result._host.get_name()
        self._say(f"✗ {host} cannot be reached", RED)
        self._say(f"error: {str(result._result.get('msg', '')).strip()}")
        self._say(
            f"fix: check ansible_host of {host} in the inventory, and that ssh gets in without a question"
        )

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._step = ""

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._say(
            "\n".join(
                str(result._result.get(key, "")) for key in ("msg", "stderr") if result._result.get(key)
            )
        )

    def v2_runner_retry(self, result: Any) -> None:
        if self._display.verbosity > 0:
            left = result._result.get("retries", 0) - result._result.get("attempts", 0)
            self._say(f"  not yet, {left} more tries", GREY)

    def v2_on_file_diff(self, result: Any) -> None:
        data = result._result
        items = data.get("results", [data])
        for item in items:
            if item.get("changed") and item.get("diff"):
                text = self._short_diff(item["diff"]) or self._get_diff(item["diff"])
                if text.strip():
                    self._say(text.rstrip())

    @staticmethod
    def _short_diff(diff: Any) -> str:
        """A line for what is no text, such as a folder that comes: `/srv/homeport: absent → directory`."""
        before, after = (
            (diff.get(key) for key in ("before", "after")) if isinstance(diff, dict) else (None, None)
        )
        if not isinstance(before, dict) or not isinstance(after, dict):
            return ""
        pairs = (
            f"{before.get(key, 'absent')} → {after[key]}" for key in after if after[key] != before.get(key)
        )
        return f"    {after.get('path') or before.get('path', '')}: {', '.join(pairs)}"

    # -- the end

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._ended.set()
        self._step = ""
        for host in sorted(stats.processed):
            counts = stats.summarize(host)
            text = " ".join(
                f"{key.replace('failures', 'failed')}={counts[key]}"
                for key in ("ok", "changed", "unreachable", "failures", "skipped")
            )
            self._say(
                f"{host} : {text}   {time.monotonic() - self._begun:.1f} s",
                RED if counts["failures"] or counts["unreachable"] else "",
            )
        for host, panel in self._panels.items():
            self._panel(host, panel)

    def _panel(self, host: str, panel: dict[str, Any]) -> None:
        where = "Homeport is up" if self._hosts == 1 else f"Homeport is up on {host}"
        rows = [(self._paint(where, BOLD), ""), ("Dashboard", panel["dashboard"])]
        if panel["link"]:
            rows.append(("Log in", panel["link"]))
            rows.append(("", "this link works once, for 10 minutes; homeport login-link makes another"))
            rows += self._account(panel)
            rows += self._listed("Command", panel["path"])
            if panel["start"]:
                rows += self._listed("At boot", self._by_hand(panel))
            after = ["homeport list", "homeport share 5173 --public", "homeport doctor"]
            rows += self._listed("Next", after if panel["workstation"] else ["homeport doctor"])
            if panel["edge"]:
                rows.append(("Edge", panel["edge"]))
                rows += self._listed("Next", self._first_tunnel(panel["edge"]))
        else:
            rows[0] = (self._paint("This was a preview: nothing was changed", BOLD), "")
        rows += self._listed("Database", panel["database"].splitlines())
        # Straight to the terminal: a login link is a key, and Ansible's display would also write it to a log.
        with self._guard:
            sys.stdout.write("\n")
            for label, text in rows:
                sys.stdout.write(f"  {label}\n" if not text and label else f"  {label:<11}{text}\n")
            sys.stdout.flush()

    @staticmethod
    def _account(panel: dict[str, Any]) -> list[tuple[str, str]]:
        """Whom the agent serves, why, and how that is changed."""
        rows = [("Account", f"{panel['user']}: {panel['user_sentence']}")]
        if panel["rootful"]:
            change = "bin/site -e homeport_user=NAME" if panel["local"] else "homeport_user in the inventory"
            rows.append(("", f"another: {change}"))
        return rows

    @staticmethod
    def _by_hand(panel: dict[str, Any]) -> list[str]:
        """What to do where nothing starts Homeport at boot."""
        if panel["rootful"]:
            return ["nothing starts Homeport here; bin/site does, or", panel["start"]]
        return [
            "nothing starts Homeport: there is no cron. As root: apt-get install cron; then bin/site.",
            f"By hand: {panel['start']}",
        ]

    @staticmethod
    def _listed(label: str, texts: list[str]) -> list[tuple[str, str]]:
        return [(label if index == 0 else "", text) for index, text in enumerate(texts)]

    @staticmethod
    def _first_tunnel(url: str) -> list[str]:
        """From nothing to a name at the edge: here, and unless the edge is for this machine alone, elsewhere.

        The agent's user and root are connected with their own edge; elsewhere it takes a token from here.
        """
        first = ["homeport http 3000 --domain myapp"]
        edge = url.replace("{name}.", "")
        if (urlsplit(edge).hostname or "").endswith("localhost"):
            return first
        return [
            *first,
            "homeport token create laptop --scope tunnel",
            f"homeport init --edge {edge}, on the laptop",
        ]

    def _dump_results(self, result: Any, *args: Any, **kwargs: Any) -> str:
        return json.dumps(
            json.loads(super()._dump_results(result, *args, **kwargs)), indent=2, ensure_ascii=False
        )
