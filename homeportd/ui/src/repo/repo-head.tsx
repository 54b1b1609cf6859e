import { useId, useState } from "preact/hooks";
import type { Repo } from "../api/types";
import { Command } from "../components/command";
import { possessive } from "../model/port-text";
import { routeHash } from "../state/route";

/** A repo's name, which leads to its page, its branch, uncommitted changes, foreign owner, and path. */
export function RepoHead({ repo, level: Heading }: { repo: Repo; level: "h2" | "h3" }) {
  const [open, setOpen] = useState(false);
  const details = useId();
  return (
    <div class="flex flex-wrap items-baseline gap-x-3">
      <Heading
        class={`min-w-0 [overflow-wrap:anywhere] ${Heading === "h2" ? "font-semibold" : "font-medium"}`}
      >
        <a
          href={routeHash({ name: "repo", id: repo.id })}
          class="-my-2 inline-block py-2 hover:text-accent hover:underline max-sm:-my-2.5 max-sm:py-2.5"
        >
          {repo.name}
        </a>
      </Heading>
      <p class="min-w-0 text-small text-soft">
        {repo.branch && <span class="font-mono [overflow-wrap:anywhere]">{repo.branch}</span>}
        {repo.dirty && <DirtyMark />}
      </p>
      {repo.foreign && repo.owner && (
        <button
          type="button"
          class="button-quiet -my-2 -mx-1 px-2 text-small"
          aria-expanded={open}
          aria-controls={details}
          onClick={() => setOpen(!open)}
        >
          {possessive(repo.owner)}
        </button>
      )}
      <p class="ml-auto min-w-0 truncate font-mono text-small text-soft max-sm:w-full" title={repo.path}>
        {repo.path}
      </p>
      {open && (
        <div id={details} class="w-full pt-1 pb-2">
          <Handover repo={repo} />
        </div>
      )}
    </div>
  );
}

/** A dot and its meaning: not everything is committed. */
export function DirtyMark() {
  return (
    <span class="whitespace-nowrap text-ink">
      <span aria-hidden="true" class="mr-1.5 ml-2 inline-block size-1.5 rounded-full bg-ink align-middle" />
      uncommitted changes
    </span>
  );
}

/** What somebody else's repo is here, and the command that makes it the agent's. */
export function Handover({ repo }: { repo: Repo }) {
  if (!repo.foreign || !repo.owner) return null;
  return (
    <div class="text-small">
      <p class="pb-1.5 text-soft">
        This repo belongs to {repo.owner}, so it is listed and shared here.
        {repo.handover &&
          ` To let Homeport work in it, run${repo.handover.startsWith("sudo ") ? "" : " as root"}:`}
      </p>
      {repo.handover && <Command text={repo.handover} />}
    </div>
  );
}
