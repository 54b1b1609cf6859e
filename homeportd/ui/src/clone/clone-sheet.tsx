import { useState } from "preact/hooks";
import { Check } from "../components/check";
import { Dialog } from "../components/dialog";
import { Field } from "../components/field";
import { ProblemBox } from "../components/problem-box";
import { folderName } from "../model/clone-address";
import { cloneRepo } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { showJob } from "../state/jobs";
import { closeSheet } from "../state/route";
import { HostedRepos } from "./hosted-repos";

const FORM_ID = "clone";

/** The sheet that begins to clone a repository; the job appears on the page below. */
export function CloneSheet() {
  const [address, setAddress] = useState("");
  const [branch, setBranch] = useState("");
  const [into, setInto] = useState("");
  const [submodules, setSubmodules] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const name = into.trim() || folderName(address);

  const clone = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    await attempt(async () => {
      const body = {
        address: address.trim(),
        branch: branch.trim() || null,
        into: into.trim() || null,
        submodules,
      };
      showJob(await cloneRepo(body));
      closeSheet();
    }, setProblem);
    setBusy(false);
  };

  return (
    <Dialog
      title="Clone a repository"
      onClose={closeSheet}
      footer={
        <div class="flex flex-wrap items-center justify-end gap-x-4 gap-y-2">
          <p class="min-w-0 flex-1 basis-48 text-small text-soft [overflow-wrap:anywhere]">
            {name
              ? `It becomes the repo ${name}. Nothing in it is run.`
              : "Nothing of a repository is run by cloning it."}
          </p>
          <button
            type="submit"
            form={FORM_ID}
            class="button-main max-sm:w-full"
            disabled={busy || address.trim() === ""}
          >
            {busy ? "Asking …" : "Clone"}
          </button>
        </div>
      }
    >
      <form id={FORM_ID} class="space-y-5" onSubmit={clone}>
        <Field
          label="Address"
          help="https://…, ssh://…, git@host:path, or OWNER/NAME"
          style="font-mono"
          value={address}
          onInput={setAddress}
        />
        <HostedRepos chosen={address} onChoose={setAddress} />
        <details>
          <summary class="target flex w-fit items-center rounded-box text-accent">
            Branch, folder, submodules
          </summary>
          <div class="mt-2 space-y-5">
            <Field label="Branch" help="Empty: the default one." value={branch} onInput={setBranch} />
            <Field
              label="Folder"
              help="Below the folder of repos. Empty: the last part of the address."
              value={into}
              onInput={setInto}
            />
            <Check label="Fetch its submodules, too" checked={submodules} onChange={setSubmodules} />
          </div>
        </details>
        {problem && <ProblemBox problem={problem} />}
      </form>
    </Dialog>
  );
}
