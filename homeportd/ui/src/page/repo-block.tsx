import type { ComponentChildren } from "preact";
import type { Repo } from "../model/types";

/** A repo with its ports. */
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

/** Name, branch, whether work is not committed, and where it is. */
export function RepoHead({ repo, level: Heading }: { repo: Repo; level: "h2" | "h3" }) {
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
      <p class="ml-auto min-w-0 truncate font-mono text-small text-soft max-sm:w-full" title={repo.path}>
        {repo.path}
      </p>
    </div>
  );
}
