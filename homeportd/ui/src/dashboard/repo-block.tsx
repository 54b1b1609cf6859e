import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import type { Repo } from "../api/types";
import { Command } from "../components/command";
import { possessive } from "../model/port-text";

/** A repo with the rows of its ports. */
export function RepoBlock({ repo, children }: { repo: Repo; children: ComponentChildren }) {
  return (
    <section
      aria-label={repo.name}
      class="appear rounded-box border border-line bg-paper"
      data-repo={repo.id}
    >
      <div class="px-4 pt-3 pb-1">
        <RepoHead repo={repo} level="h2" />
      </div>
      <ul class="pb-1.5">{children}</ul>
    </section>
  );
}

/** A repo's name, branch, uncommitted changes, owner where that is not the agent's user, and path. */
export function RepoHead({ repo, level: Heading }: { repo: Repo; level: "h2" | "h3" }) {
  const [open, setOpen] = useState(false);
  const details = useId();
  return (
    <div class="flex flex-wrap items-baseline gap-x-3">
      <Heading
        class={`min-w-0 [overflow-wrap:anywhere] ${Heading === "h2" ? "font-semibold" : "font-medium"}`}
      >
        {repo.name}
      </Heading>
      <p class="min-w-0 text-small text-soft">
        {repo.branch && <span class="font-mono [overflow-wrap:anywhere]">{repo.branch}</span>}
        {repo.dirty && (
          <span class="whitespace-nowrap text-ink">
            <span
              aria-hidden="true"
              class="mr-1.5 ml-2 inline-block size-1.5 rounded-full bg-ink align-middle"
            />
            uncommitted changes
          </span>
        )}
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
      {open && repo.foreign && repo.owner && (
        <div id={details} class="w-full pt-1 pb-2 text-small">
          <p class="pb-1.5 text-soft">
            This repo belongs to {repo.owner}, so it is listed and shared here.
            {repo.handover &&
              ` To let Homeport work in it, run${repo.handover.startsWith("sudo ") ? "" : " as root"}:`}
          </p>
          {repo.handover && <Command text={repo.handover} />}
        </div>
      )}
    </div>
  );
}
