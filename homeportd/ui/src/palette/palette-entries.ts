/** Entries of the palette: the actions of each port, each repo, and those of the page. */

import type { Port, Repo, Server } from "../api/types";
import type { PaletteEntry } from "../model/palette-entry";
import { describePort, effectiveMode, MODE_LABELS } from "../model/port-text";
import type { PortsState } from "../model/ports";
import { describeServer, isAlive } from "../model/servers";
import { edgePages } from "../state/edge-pages";
import { focusFilter } from "../state/keyboard";
import { places } from "../state/places";
import { copyLink, openPort, unshare } from "../state/port-actions";
import { fetchAll, pull, removing } from "../state/repo-actions";
import { HOME, navigate } from "../state/route";
import { restart, servers, start, stop } from "../state/servers";

export function paletteEntries(state: PortsState): PaletteEntry[] {
  const ports = [...state.ports.values()].sort((a, b) => a.port - b.port);
  const names = new Map(state.repos.map((repo) => [repo.id, repo.name]));
  return [
    ...ports.flatMap((port) => portEntries(port, names.get(port.repo ?? "") ?? "")),
    ...(edgePages.value?.paletteEntries() ?? []),
    ...[...servers.value.values()].filter((server) => !server.by_hand).flatMap(serverEntries),
    ...[...state.repos].sort((a, b) => a.name.localeCompare(b.name)).flatMap(repoEntries),
    ...(places.value.includes("home")
      ? [
          { id: "home", label: "Home", about: "repos and ports", run: () => navigate(HOME) },
          {
            id: "clone",
            label: "Clone a repository",
            about: "from an address or OWNER/NAME",
            run: () => navigate({ name: "clone" }),
          },
          {
            id: "activity",
            label: "Activity",
            about: "jobs, and what happened",
            run: () => navigate({ name: "activity" }),
          },
        ]
      : []),
    {
      id: "settings",
      label: "Settings",
      about: "account, password, log out",
      run: () => navigate({ name: "settings", section: "" }),
    },
    {
      id: "tokens",
      label: "Tokens",
      about: "settings · for clients and scripts",
      run: () => navigate({ name: "settings", section: "tokens" }),
    },
    { id: "filter", label: "Filter the list", about: "key /", run: () => window.setTimeout(focusFilter) },
  ];
}

function portEntries(port: Port, repo: string): PaletteEntry[] {
  const number = port.port;
  const about = [describePort(port), repo, MODE_LABELS[effectiveMode(port)]].filter(Boolean).join(" · ");
  const entry = (verb: string, run: () => void): PaletteEntry => ({
    id: `${verb} ${number}`,
    label: `${verb} ${number}`,
    about,
    run,
  });
  return [
    ...(port.listening ? [entry("Open", () => openPort(port))] : []),
    entry("Share", () => navigate({ name: "share", port: number })),
    entry("Copy link of", () => void copyLink(port)),
    entry("Access log of", () => navigate({ name: "log", port: number })),
    ...(port.share.mode !== "private" ? [entry("Stop sharing", () => void unshare(port))] : []),
  ];
}

function serverEntries(server: Server): PaletteEntry[] {
  const name = server.repo === null ? server.name : `${server.repo} ${server.name}`;
  const entry = (verb: string, run: () => void): PaletteEntry => ({
    id: `${verb} server ${server.id}`,
    label: `${verb} ${name}`,
    about: `server · ${describeServer(server)}`,
    run,
  });
  return [
    ...(isAlive(server)
      ? [entry("Stop", () => void stop(server)), entry("Restart", () => void restart(server))]
      : server.command === null
        ? []
        : [
            entry(
              server.missing ? "Install and start" : "Start",
              () => void start(server, server.missing !== null),
            ),
          ]),
    entry("Output of", () => navigate({ name: "output", id: server.id })),
    entry("Command and settings of", () => navigate({ name: "server", id: server.id })),
  ];
}

function repoEntries(repo: Repo): PaletteEntry[] {
  const entry = (verb: string, run: () => void): PaletteEntry => ({
    id: `${verb} repo ${repo.id}`,
    label: verb ? `${verb} ${repo.name}` : repo.name,
    about: `repo · ${repo.path}`,
    run,
  });
  return [
    entry("", () => navigate({ name: "repo", id: repo.id })),
    ...(repo.foreign
      ? []
      : [
          ...(repo.remote
            ? [entry("Pull", () => void pull(repo)), entry("Fetch", () => void fetchAll(repo))]
            : []),
          entry("Terminal in", () => navigate({ name: "terminal", id: repo.id })),
          entry("Remove", () => {
            removing.value = repo;
          }),
        ]),
  ];
}
