/** Actions on a repo, for buttons and the palette alike. */

import { signal } from "@preact/signals";
import type { Job, Repo } from "../api/types";
import { fetchRepo, pullRepo, removeRepo } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { showJob } from "./jobs";
import { tellProblem } from "./servers";

/** The repo whose removal waits for the person's word. */
export const removing = signal<Repo | null>(null);

const begin = (work: () => Promise<Job>, show: (problem: Problem) => void = tellProblem) =>
  attempt(async () => showJob(await work()), show);

export const pull = (repo: Repo) => begin(() => pullRepo(repo.id));
export const fetchAll = (repo: Repo) => begin(() => fetchRepo(repo.id));
export const remove = (repo: Repo, force: boolean, show: (problem: Problem) => void) =>
  begin(() => removeRepo(repo.id, force), show);
