/** Entries of the palette: the actions of each port, each repo, and those of the page. */

import type { Port, Repo } from "../api/types";
import { describePort, effectiveMode, MODE_LABELS } from "../model/port-text";
import type { PortsState } from "../model/ports";
import { edgePages } from "../state/edge-pages";
import { filter } from "../state/filter";
import { focusFilter } from "../state/keyboard";
import { copyLink, openPort, unshare } from "../state/port-actions";
import { navigate } from "../state/route";

export interface PaletteEntry {
  id: string;
  /** The verb and its object; what was typed is looked for in this and in `about`. */
  label: string;
  about: string;
  run: () => void;
}

export function paletteEntries(state: PortsState): PaletteEntry[] {
  const ports = [...state.ports.values()].sort((a, b) => a.port - b.port);
  const names = new Map(state.repos.map((repo) => [repo.id, repo.name]));
  return [
    ...ports.flatMap((port) => portEntries(port, names.get(port.repo ?? "") ?? "")),
    ...(edgePages.value?.paletteEntries() ?? []),
    ...[...state.repos].sort((a, b) => a.name.localeCompare(b.name)).map(repoEntry),
    {
      id: "settings",
      label: "Settings",
      about: "tokens, password, log out",
      run: () => navigate({ name: "settings" }),
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

const repoEntry = (repo: Repo): PaletteEntry => ({
  id: `repo ${repo.id}`,
  label: repo.name,
  about: `repo · ${repo.path}`,
  run: () => {
    filter.value = repo.name;
    window.setTimeout(focusFilter);
  },
});
