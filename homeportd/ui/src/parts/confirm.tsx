import { useState } from "preact/hooks";
import type { Problem } from "../net/client";
import { attempt } from "../state/attempt";
import { Dialog } from "./dialog";
import { ProblemBox } from "./problem-box";

export interface Question {
  title: string;
  /** What will be true afterwards. */
  text: string;
  /** The verb and its object: "Kill myapp". */
  yes: string;
  run: () => Promise<void>;
}

/** Asks before something that cannot be undone. What goes wrong is told here, where it was asked for. */
export function Confirm({ question, onClose }: { question: Question; onClose: () => void }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const run = async () => {
    setBusy(true);
    setProblem(null);
    const done = await attempt(async () => {
      await question.run();
      onClose();
    }, setProblem);
    if (!done) setBusy(false);
  };
  return (
    <Dialog
      title={question.title}
      width="sm:max-w-md"
      onClose={onClose}
      foot={
        <div class="flex flex-wrap justify-end gap-2 max-sm:flex-col-reverse">
          <button type="button" class="button-plain" onClick={onClose}>
            Cancel
          </button>
          <button
            type="button"
            class="button-danger min-w-0 py-1.5 whitespace-normal [overflow-wrap:anywhere]"
            disabled={busy}
            onClick={() => void run()}
          >
            {question.yes}
          </button>
        </div>
      }
    >
      <p class="[overflow-wrap:anywhere]">{question.text}</p>
      {problem && (
        <div class="mt-4">
          <ProblemBox problem={problem} />
        </div>
      )}
    </Dialog>
  );
}
