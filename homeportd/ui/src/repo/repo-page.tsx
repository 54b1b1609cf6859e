import { useState } from "preact/hooks";
import { AccessLog } from "../access-log/access-log";
import { ActivityFeed } from "../activity/activity-feed";
import type { Port, Repo } from "../api/types";
import { BackLink } from "../components/back-link";
import { Block } from "../components/block";
import { Chips } from "../components/chips";
import { Command } from "../components/command";
import { CommandIcon, TrashIcon } from "../components/icons";
import { Menu } from "../components/menu";
import { CurrentJobs } from "../jobs/job-list";
import { RepoServers } from "../servers/repo-servers";
import { portsState, shownPorts } from "../state/port-state";
import { removing } from "../state/repo-actions";
import { HOME, routeHash } from "../state/route";
import { EditorLink } from "./editor-link";
import { GitState } from "./git-state";
import { PortRow } from "./port-row";
import { DirtyMark } from "./repo-head";

/** Rows of the activity feed that are shown. */
const RECENT = 10;

/** The page of a repo: its git state, ports and visits. */
export function RepoPage({ id }: { id: string }) {
  const repo = portsState.value.repos.find((each) => each.id === id);
  return (
    <>
      <BackLink href={routeHash(HOME)} label="All repos" />
      {repo ? <Known repo={repo} /> : <Unknown id={id} />}
    </>
  );
}

function Unknown({ id }: { id: string }) {
  return (
    <section aria-labelledby="repo" class="mt-2 rounded-box border border-line bg-paper p-4 sm:p-6">
      <h2 id="repo" class="text-title font-semibold [overflow-wrap:anywhere]">
        No repo {id}
      </h2>
      <p class="mt-1 text-soft">
        It is not on this machine, or no longer where it was. It may come back by itself.
      </p>
    </section>
  );
}

function Known({ repo }: { repo: Repo }) {
  const ports = shownPorts.value.filter((port) => port.repo === repo.id);
  return (
    <div class="space-y-4">
      <header class="mt-1 flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <h2 class="min-w-0 text-title font-semibold [overflow-wrap:anywhere]">{repo.name}</h2>
        <p class="min-w-0 text-soft">
          {repo.branch && <span class="font-mono text-small [overflow-wrap:anywhere]">{repo.branch}</span>}
          {repo.dirty && <DirtyMark />}
        </p>
        {!repo.foreign && (
          <span class="-my-2 ml-auto flex items-center">
            <EditorLink repo={repo.id} />
            <a class="button-quiet" href={routeHash({ name: "terminal", id: repo.id })}>
              <CommandIcon /> Terminal
            </a>
            <Menu
              row={`repo ${repo.id}`}
              label={`More for ${repo.name}`}
              items={[
                {
                  label: "Remove …",
                  icon: <TrashIcon />,
                  run: () => {
                    removing.value = repo;
                  },
                },
              ]}
            />
          </span>
        )}
      </header>
      <CurrentJobs subject={repo.id} />
      {!repo.foreign && <RepoServers repo={repo} />}
      <Ports repo={repo} ports={ports} />
      <GitState repo={repo} />
      {ports.length > 0 && <Visits ports={ports} />}
      <Block id="activity" title="Activity">
        <ActivityFeed repo={repo.id} limit={RECENT} />
      </Block>
    </div>
  );
}

function Ports({ repo, ports }: { repo: Repo; ports: readonly Port[] }) {
  if (ports.length > 0) {
    return (
      <Block id="ports" title="Ports" padded={false}>
        <ul>
          {ports.map((port) => (
            <PortRow key={port.port} port={port} />
          ))}
        </ul>
      </Block>
    );
  }
  return (
    <Block id="ports" title="Ports">
      <p class="mb-2 text-soft">
        Nothing listens here. A server that is started in this folder appears by itself:
      </p>
      <Command text={`cd ${shellQuoted(repo.path)}`} />
    </Block>
  );
}

/** A word of a shell command. */
const shellQuoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** The access log of one port of the repo; of several the person chooses. */
function Visits({ ports }: { ports: readonly Port[] }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const number = ports.find((port) => String(port.port) === chosen)?.port ?? ports[0]?.port;
  if (number === undefined) return null;
  return (
    <Block id="visits" title="Access log">
      {ports.length > 1 && (
        <div class="mb-3">
          <Chips
            legend="Port"
            chips={ports.map((port) => ({ value: String(port.port), label: String(port.port) }))}
            value={String(number)}
            onChange={setChosen}
          />
        </div>
      )}
      <AccessLog key={number} number={number} />
    </Block>
  );
}
