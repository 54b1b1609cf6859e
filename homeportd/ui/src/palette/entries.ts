/** What the palette offers: each port's actions, each repo, and the page's own. */

import { MODE_WORDS, modeNow, portName } from "../model/describe";
import type { Port, Repo } from "../model/types";
import type { World } from "../model/world";
import { copyLink, openPort, unshare } from "../state/actions";
import { edgePart } from "../state/edge";
import { focusFilter } from "../state/keyboard";
import { open } from "../state/route";
import { filter } from "../state/store";

export interface Entry {
  id: string;
  /** The verb and its object; what was typed is looked for in this and in `about`. */
  label: string;
  about: string;
  run: () => void;
}

export function entries(world: World): Entry[] {
  const ports = [...world.ports.values()].sort((a, b) => a.port - b.port);
  const names = new Map(world.repos.map((repo) => [repo.id, repo.name]));
  return [
    ...ports.flatMap((port) => portEntries(port, names.get(port.repo ?? "") ?? "")),
    ...(edgePart.value?.entries() ?? []),
    ...[...world.repos].sort((a, b) => a.name.localeCompare(b.name)).map(repoEntry),
    {
      id: "settings",
      label: "Settings",
      about: "tokens, password, log out",
      run: () => open({ name: "settings" }),
    },
    { id: "filter", label: "Filter the list", about: "key /", run: () => window.setTimeout(focusFilter) },
  ];
}

function portEntries(port: Port, repo: string): Entry[] {
  const number = port.port;
  const about = [portName(port), repo, MODE_WORDS[modeNow(port)]].filter(Boolean).join(" · ");
  const entry = (verb: string, run: () => void): Entry => ({
    id: `${verb} ${number}`,
    label: `${verb} ${number}`,
    about,
    run,
  });
  return [
    ...(port.listening ? [entry("Open", () => openPort(port))] : []),
    entry("Share", () => open({ name: "share", port: number })),
    entry("Copy link of", () => void copyLink(port)),
    entry("Access log of", () => open({ name: "log", port: number })),
    ...(port.share.mode !== "private" ? [entry("Stop sharing", () => void unshare(port))] : []),
  ];
}

const repoEntry = (repo: Repo): Entry => ({
  id: `repo ${repo.id}`,
  label: repo.name,
  about: `repo · ${repo.path}`,
  run: () => {
    filter.value = repo.name;
    window.setTimeout(focusFilter);
  },
});
