import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog";
import { ProblemBox } from "../components/problem-box";
import type { Problem } from "../net/problem";
import { remove, removing } from "../state/repo-actions";

const close = () => {
  removing.value = null;
};

/** Asks before a repo is removed, and again, with the reasons, where work would be lost. */
export function RemoveDialog() {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const repo = removing.value;
  if (repo === null) return null;
  const refused = problem?.status === 409;
  const run = async () => {
    setBusy(true);
    if (await remove(repo, refused, setProblem)) close();
    setBusy(false);
  };
  return (
    <Dialog
      title={`Remove ${repo.name}?`}
      width="sm:max-w-md"
      onClose={close}
      footer={
        <div class="flex flex-wrap justify-end gap-2 max-sm:flex-col-reverse">
          <button type="button" class="button-plain" onClick={close}>
            Keep it
          </button>
          <button type="button" class="button-danger" disabled={busy} onClick={() => void run()}>
            {refused ? "Remove and lose that" : "Remove"}
          </button>
        </div>
      }
    >
      {problem === null ? (
        <p class="[overflow-wrap:anywhere]">
          The folder <span class="font-mono text-small">{repo.path}</span> is deleted. Work that exists
          nowhere else keeps it: then you are asked again.
        </p>
      ) : (
        <ProblemBox problem={problem} />
      )}
    </Dialog>
  );
}
