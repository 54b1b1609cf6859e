/** The requests of every machine's dashboard. Each throws Problem. */

import type {
  AccessLogRow,
  CloneRequest,
  Job,
  PreferencesChange,
  Repo,
  Server,
  ServerRequest,
  ShareRequest,
  StartRequest,
  Token,
} from "../api/types";
import { call } from "./call";
import { Problem } from "./problem";

export const getStatus = () => call("get", "/api/status");
export const getPorts = () => call("get", "/api/ports");
export const getRepos = () => call("get", "/api/repos");
export const getCaller = () => call("get", "/api/session");
export const logIn = (password: string) => call("post", "/api/session", { body: { password } });
export const logOut = () => call("delete", "/api/session");
export const setPassword = (password: string) => call("put", "/api/password", { body: { password } });
export const setShare = (port: number, body: ShareRequest) =>
  call("post", "/api/ports/{port}/share", { path: { port }, body });
/** Has the agent look at the page of a port, whether it should be asked by its public name. */
export const getHostAdvice = (port: number) =>
  call("get", "/api/ports/{port}/host-header", { path: { port } });
/** Lets a paused share go on with what listens on the port now. */
export const resumeShare = (port: number) =>
  call("post", "/api/ports/{port}/share/resume", { path: { port } });
export const getTokens = () => call("get", "/api/tokens");
export const createToken = (name: string, scope: Token["scope"]) =>
  call("post", "/api/tokens", { body: { name, scope } });
/** Makes a successor; the old token is valid for `grace_s` seconds more. */
export const rotateToken = (id: Token["id"], grace_s: number) =>
  call("post", "/api/tokens/{token_id}/rotate", { path: { token_id: id }, body: { grace_s } });
export const revokeToken = (id: Token["id"]) =>
  call("delete", "/api/tokens/{token_id}", { path: { token_id: id } });

/** Makes a port private again. A port that is private already counts as done. */
export async function removeShare(port: number): Promise<void> {
  try {
    await call("delete", "/api/ports/{port}/share", { path: { port } });
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
  }
}

/** One page of a port's access log, newest first, older than row `before` when that is given. */
export const getAccessLog = (port: number, limit: number, before?: AccessLogRow["id"]) =>
  call("get", "/api/ports/{port}/logs", { path: { port }, query: { limit, before: before ?? null } });

export const getJobs = () => call("get", "/api/jobs");
/** Asks a job to end; the event of its end follows. */
export const cancelJob = (job: Job["id"]) => call("post", "/api/jobs/{job}/cancel", { path: { job } });
/** The kept lines of a job's log after number `since`. */
export const getJobLog = (job: Job["id"], since: number) =>
  call("get", "/api/jobs/{job}/log", { path: { job }, query: { since } });
/** Begins to clone: the answer is the job. */
export const cloneRepo = (body: CloneRequest) => call("post", "/api/repos", { body });

export const getPreferences = () => call("get", "/api/settings");
export const changePreferences = (body: PreferencesChange) => call("put", "/api/settings", { body });
export const getSshKey = () => call("get", "/api/git/ssh-key");
/** Makes the key where there is none. */
export const makeSshKey = () => call("post", "/api/git/ssh-key");

/** All servers that are known, those that were started by hand too. */
export const getServers = () => call("get", "/api/servers");
/** The servers of a repo, after a look at its files, the main one first. */
export const getRepoServers = (repo: Repo["id"]) =>
  call("get", "/api/repos/{repo}/servers", { path: { repo } });
export const startServer = (repo: Repo["id"], body: StartRequest) =>
  call("post", "/api/repos/{repo}/start", { path: { repo }, body });
export const stopServer = (repo: Repo["id"], server: Server["name"]) =>
  call("post", "/api/repos/{repo}/stop", { path: { repo }, body: { server } });
export const restartServer = (repo: Repo["id"], server: Server["name"]) =>
  call("post", "/api/repos/{repo}/restart", { path: { repo }, body: { server } });
export const setServer = (server: Server["id"], body: ServerRequest) =>
  call("put", "/api/servers/{server}", { path: { server }, body });

export const getRepo = (repo: Repo["id"]) => call("get", "/api/repos/{repo}", { path: { repo } });
/** Begin work on a repo: the answer is the job. */
export const pullRepo = (repo: Repo["id"]) => call("post", "/api/repos/{repo}/pull", { path: { repo } });
export const fetchRepo = (repo: Repo["id"]) => call("post", "/api/repos/{repo}/fetch", { path: { repo } });
/** Begins to remove a repo; status 409 while work would be lost, unless `force`. */
export const removeRepo = (repo: Repo["id"], force: boolean) =>
  call("delete", "/api/repos/{repo}", { path: { repo }, query: { force } });

/** A page of the person's repositories at GitHub or GitLab that have the words of `q`. */
export const getHostedRepos = (host: "github" | "gitlab", q: string, page: number) =>
  host === "github"
    ? call("get", "/api/github/repos", { query: { q, page } })
    : call("get", "/api/gitlab/repos", { query: { q, page } });

/** One page of what happened, newest first, of all or of one repo, older than row `before` when that is given. */
export const getActivity = (limit: number, before?: number, repo?: Repo["id"]) =>
  call("get", "/api/activity", { query: { limit, before: before ?? null, repo: repo ?? null } });

/** The open terminals of a repo. */
export const getTerminals = (repo: Repo["id"]) =>
  call("get", "/api/repos/{id}/terminals", { path: { id: repo } });

/** The editor's state, and the address that opens this repo. */
export const getEditor = (repo: Repo["id"]) => call("get", "/api/editor", { query: { repo } });
