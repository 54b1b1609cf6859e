/** Text for the state of a branch. */

import type { BranchState } from "../api/types";

const commits = (count: number): string => `${count} ${count === 1 ? "commit" : "commits"}`;

/** "2 commits to push, 1 commit to pull", "as on origin/main", "nothing is pushed: it has no upstream". */
export function upstreamText({ upstream, ahead, behind }: BranchState): string {
  if (upstream === null) return "no upstream: nothing of it is pushed";
  const differs = [ahead ? `${commits(ahead)} to push` : "", behind ? `${commits(behind)} to pull` : ""];
  const text = differs.filter(Boolean).join(", ");
  return text ? `${text} · ${upstream}` : `as on ${upstream}`;
}

/** What else to know: "2 stashes · has submodules · shallow history", or nothing. */
export function specialsText({ stashes, submodules, shallow }: BranchState): string {
  return [
    stashes ? `${stashes} ${stashes === 1 ? "stash" : "stashes"}` : "",
    submodules ? "has submodules" : "",
    shallow ? "shallow history" : "",
  ]
    .filter(Boolean)
    .join(" · ");
}
