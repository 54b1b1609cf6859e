import type { Repo } from "../api/types";
import { ChevronIcon } from "../components/icons";
import { NoMatch } from "../components/no-match";
import { serversOf } from "../model/servers";
import { PortRow } from "../repo/port-row";
import { RepoHead } from "../repo/repo-head";
import { ServerRow } from "../servers/server-row";
import { filter } from "../state/filter";
import { portGroups } from "../state/port-state";
import { servers } from "../state/servers";
import { EmptyList } from "./empty-list";
import { RepoBlock } from "./repo-block";

/** More idle repos than these are folded away. */
const MAX_IDLE_SHOWN = 5;

export function RepoList() {
  const { active, idle: quiet, others, count } = portGroups.value;
  // Servers that listen are seen by their ports.
  const rowsOf = (repo: Repo) =>
    serversOf(servers.value, repo.id).filter(
      (server) => !server.by_hand && server.state !== "listening" && server.created_at !== null,
    );
  const idle = quiet.filter((repo) => rowsOf(repo).length === 0);
  const blocks = [
    ...active,
    ...quiet.filter((repo) => rowsOf(repo).length > 0).map((repo) => ({ repo, ports: [] })),
  ].sort((a, b) => a.repo.name.localeCompare(b.repo.name) || a.repo.path.localeCompare(b.repo.path));
  const filtering = filter.value.trim() !== "";
  if (filtering && count === 0 && quiet.length === 0) return <NoMatch what="port or repo" filter={filter} />;
  return (
    <div class="space-y-4">
      {blocks.length === 0 && others.length === 0 && !filtering && <EmptyList />}
      {blocks.map(({ repo, ports }) => (
        <RepoBlock key={repo.id} repo={repo}>
          {rowsOf(repo).map((server) => (
            <ServerRow key={server.id} server={server} />
          ))}
          {ports.map((port) => (
            <PortRow key={port.port} port={port} />
          ))}
        </RepoBlock>
      ))}
      {idle.length > 0 && <IdleRepos repos={idle} open={filtering || idle.length <= MAX_IDLE_SHOWN} />}
      {others.length > 0 && (
        <section aria-labelledby="others" class="rounded-box border border-line bg-paper">
          <div class="px-4 pt-3 pb-1">
            <h2 id="others" class="font-semibold">
              Other listeners
            </h2>
            <p class="text-small text-soft">Not started in a repo that Homeport knows.</p>
          </div>
          <ul class="pb-1.5">
            {others.map((port) => (
              <PortRow key={port.port} port={port} />
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function IdleRepos({ repos, open }: { repos: Repo[]; open: boolean }) {
  const summary =
    repos.length === 1 ? "Nothing running in 1 repo" : `Nothing running in ${repos.length} repos`;
  return (
    <details open={open} class="group rounded-box border border-line bg-paper">
      <summary class="target flex items-center gap-1.5 rounded-box px-3.5 text-soft hover:bg-hover">
        <span class="transition-transform duration-100 group-open:rotate-90">
          <ChevronIcon />
        </span>
        {summary}
      </summary>
      <ul class="pb-2">
        {repos.map((repo) => (
          <li key={repo.id} class="px-4 py-1.5">
            <RepoHead repo={repo} level="h3" />
          </li>
        ))}
      </ul>
    </details>
  );
}
