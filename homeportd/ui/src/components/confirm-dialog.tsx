import { useState } from "preact/hooks";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { Dialog } from "./dialog";
import { ProblemBox } from "./problem-box";

/** An action that is confirmed before it is done. */
export interface Confirmation {
  title: string;
  /** The effect. */
  text: string;
  /** The verb and its object: "Kill myapp". */
  confirmLabel: string;
  run: () => Promise<void>;
}

/** Asks before an action that cannot be undone, and shows the problem when the action fails. */
export function ConfirmDialog({
  confirmation,
  onClose,
}: {
  confirmation: Confirmation;
  onClose: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const run = async () => {
    setBusy(true);
    setProblem(null);
    const done = await attempt(async () => {
      await confirmation.run();
      onClose();
    }, setProblem);
    if (!done) setBusy(false);
  };
  return (
    <Dialog
      title={confirmation.title}
      width="sm:max-w-md"
      onClose={onClose}
      footer={
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
            {confirmation.confirmLabel}
          </button>
        </div>
      }
    >
      <p class="[overflow-wrap:anywhere]">{confirmation.text}</p>
      {problem && (
        <div class="mt-4">
          <ProblemBox problem={problem} />
        </div>
      )}
    </Dialog>
  );
}
