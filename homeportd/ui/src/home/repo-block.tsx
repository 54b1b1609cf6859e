import type { ComponentChildren } from "preact";
import type { Repo } from "../api/types";
import { RepoHead } from "../repo/repo-head";

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
