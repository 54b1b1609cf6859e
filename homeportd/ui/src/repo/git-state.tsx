import { useEffect, useState } from "preact/hooks";
import type { BranchState, Repo } from "../api/types";
import { Block } from "../components/block";
import { CopyButton } from "../components/copy-button";
import { specialsText, upstreamText } from "../model/branch-state";
import { formatAge } from "../model/time-format";
import { getRepo } from "../net/agent-api";
import { attempt } from "../net/attempt";
import { disconnection } from "../state/agent";
import { now } from "../state/clock";
import { jobs } from "../state/jobs";
import { fetchAll, pull } from "../state/repo-actions";
import { Handover } from "./repo-head";

/** The git state of a repo: branch, upstream, last commit, remote and folder. */
export function GitState({ repo }: { repo: Repo }) {
  const state = useBranchState(repo);
  const specials = state ? specialsText(state) : "";
  return (
    <Block
      id="git"
      title="Git"
      actions={
        !repo.foreign &&
        repo.remote && (
          <>
            <button type="button" class="button-quiet" onClick={() => void fetchAll(repo)}>
              Fetch
            </button>
            <button type="button" class="button-quiet" onClick={() => void pull(repo)}>
              Pull
            </button>
          </>
        )
      }
    >
      <dl class="space-y-1.5">
        <Fact name="Branch" text={repo.branch ?? "unknown"} />
        <Fact
          name="Changes"
          text={repo.dirty === null ? "unknown" : repo.dirty ? "uncommitted changes" : "all is committed"}
          prose
        />
        {state && state.refused === null && <Fact name="Upstream" text={upstreamText(state)} prose />}
        {state?.refused && <Fact name="State" text={state.refused} prose />}
        {state?.commit && (
          <Fact
            name="Last"
            text={`${state.commit.subject} · ${state.commit.author}, ${formatAge(state.commit.time, now.value)}`}
            prose
          />
        )}
        {specials && <Fact name="Also" text={specials} prose />}
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

/** Read anew when the repo has changed, or a job on it has ended. */
function useBranchState(repo: Repo): BranchState | null {
  const [state, setState] = useState<BranchState | null>(null);
  const ended = jobs.value.find((job) => job.subject === repo.id && job.ended_at !== null)?.id;
  const connected = disconnection.value === null;
  useEffect(() => {
    // What cannot be read is left out: the rest of the page is of use without it.
    if (connected)
      void attempt(
        async () => setState((await getRepo(repo.id)).state),
        () => setState(null),
      );
  }, [repo, ended, connected]);
  return state;
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
    <div class="grid grid-cols-[4.5rem_minmax(0,1fr)_auto] items-center gap-x-3">
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
