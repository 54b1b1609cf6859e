import { useState } from "preact/hooks";
import { AccessLog } from "../access-log/access-log";
import type { Port, Repo } from "../api/types";
import { BackLink } from "../components/back-link";
import { Block } from "../components/block";
import { Chips } from "../components/chips";
import { Command } from "../components/command";
import { CopyButton } from "../components/copy-button";
import { CurrentJobs } from "../jobs/job-list";
import { portsState, shownPorts } from "../state/port-state";
import { HOME, routeHash } from "../state/route";
import { PortRow } from "./port-row";
import { DirtyMark, Handover } from "./repo-head";

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
      </header>
      <CurrentJobs subject={repo.id} />
      <Ports repo={repo} ports={ports} />
      <Git repo={repo} />
      {ports.length > 0 && <Visits ports={ports} />}
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

function Git({ repo }: { repo: Repo }) {
  return (
    <Block id="git" title="Git">
      <dl class="space-y-1.5">
        <Fact name="Branch" text={repo.branch ?? "unknown"} />
        <Fact
          name="Changes"
          text={repo.dirty === null ? "unknown" : repo.dirty ? "uncommitted changes" : "all is committed"}
          prose
        />
        {repo.remote && <Fact name="Remote" text={repo.remote} copied="the remote's address" />}
        <Fact name="Folder" text={repo.path} copied="the folder" />
      </dl>
      {repo.foreign && (
        <div class="mt-3">
          <Handover repo={repo} />
        </div>
      )}
    </Block>
  );
}

interface FactProps {
  name: string;
  text: string;
  /** What the copy button copies; without one there is no button. */
  copied?: string;
  prose?: boolean;
}

function Fact({ name, text, copied, prose = false }: FactProps) {
  return (
    <div class="grid grid-cols-[5rem_minmax(0,1fr)_auto] items-center gap-x-3">
      <dt class="text-small text-soft">{name}</dt>
      <dd class={`[overflow-wrap:anywhere] ${prose ? "" : "font-mono text-small"}`}>{text}</dd>
      {copied && (
        <dd class="-my-1.5">
          <CopyButton text={text} what={copied} class="button-quiet" />
        </dd>
      )}
    </div>
  );
}

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
