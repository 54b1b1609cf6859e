import { useState } from "preact/hooks";
import type { Port } from "../api/types";
import { announce, notify } from "../browser/notices";
import { Dialog } from "../components/dialog";
import { PasswordField } from "../components/password-field";
import { ProblemBox } from "../components/problem-box";
import { describePort, hasExpired, isShared } from "../model/port-text";
import { privateShare, unlistedPort } from "../model/ports";
import {
  describeShareDraft,
  generatePassword,
  type ShareDraft,
  shareDraftOf,
  shareRequestOf,
  validateShareDraft,
} from "../model/share-draft";
import { removeShare, setShare } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { now } from "../state/clock";
import { dispatch } from "../state/events";
import { portsState } from "../state/port-state";
import { closeSheet } from "../state/route";
import { CautionBox } from "./caution-box";
import { ExpiryChoice } from "./expiry-choice";
import { HostAdvice } from "./host-advice";
import { LinkBox } from "./link-box";
import { ModeChoice } from "./mode-choice";
import { Restrictions } from "./restrictions";

/** Who may see a port, until when, and the link for others. A port can be shared before anything listens there. */
export function ShareSheet({ number }: { number: number }) {
  const port = portsState.value.ports.get(number) ?? unlistedPort(portsState.value, number);
  const repo = portsState.value.repos.find((each) => each.id === port.repo);
  const [draft, setDraft] = useState(() => shareDraftOf(port, new Date()));
  const [saved, setSaved] = useState(draft);
  const [fresh, setFresh] = useState(false);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const errors = validateShareDraft(draft, now.value);
  const shownErrors = tried ? errors : {};
  const shared = isShared(port);
  const dirty = JSON.stringify(draft) !== JSON.stringify(saved);
  const change = (part: Partial<ShareDraft>) => setDraft((before) => ({ ...before, ...part }));

  const save = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    setProblem(null);
    if (Object.keys(validateShareDraft(draft, new Date())).length > 0) {
      announce("Something is missing; see the fields in red.");
      return;
    }
    setBusy(true);
    await attempt(async () => {
      if (draft.mode === "private") await stopSharing(port);
      else {
        const share = await setShare(number, shareRequestOf(draft));
        dispatch({ id: null, type: "share.changed", data: { port: number, share } });
        // The password stays in the field, where the person can still copy it.
        const kept = { ...draft, hasPassword: share.mode === "password" };
        setDraft(kept);
        setSaved(kept);
        setTried(false);
        setFresh(true);
        announce(`Saved. ${describeShareDraft(draft, new Date())}`);
      }
    }, setProblem);
    setBusy(false);
  };

  return (
    <Dialog
      title={`Share ${number}`}
      about={[describePort(port), repo && `in ${repo.name}`].filter(Boolean).join(" · ")}
      width="sm:max-w-2xl"
      onClose={closeSheet}
      footer={
        <div class="flex flex-wrap items-center gap-x-4 gap-y-2.5">
          <p class="min-w-0 flex-1 basis-60 font-medium [overflow-wrap:anywhere]" data-sentence>
            {describeShareDraft(draft, now.value)}
          </p>
          <button
            type="submit"
            form="share"
            class="button-main max-sm:w-full"
            disabled={busy || isSaved(port, draft, dirty)}
          >
            {busy ? "Saving …" : buttonText(port, draft, dirty)}
          </button>
        </div>
      }
    >
      <form id="share" class="space-y-5" noValidate onSubmit={save}>
        <CautionBox port={port} />
        <ModeChoice mode={draft.mode} onChange={(mode) => change({ mode })} />
        {draft.mode === "password" && (
          <PasswordField
            label="Password"
            value={draft.password}
            onInput={(password) => change({ password })}
            autocomplete="off"
            help={
              draft.hasPassword && draft.password === ""
                ? "Leave it empty to keep the one that is set."
                : undefined
            }
            error={shownErrors.password}
            generate={() => generatePassword((bytes) => crypto.getRandomValues(bytes))}
            copies
          />
        )}
        {draft.mode !== "private" && (
          <>
            <ExpiryChoice
              expiry={draft.expiry}
              error={shownErrors.expiry}
              onChange={(expiry) => change({ expiry })}
            />
            <HostAdvice port={port} draft={draft} onKeep={() => change({ hostHeader: "keep" })} />
            <Restrictions url={port.share.url} draft={draft} errors={shownErrors} onChange={change} />
          </>
        )}
        {problem && <ProblemBox problem={problem} />}
        {shared && draft.mode !== "private" && <LinkBox url={port.url} pending={dirty} reveal={fresh} />}
      </form>
    </Dialog>
  );
}

/** Whether there is nothing to save. */
function isSaved(port: Port, draft: ShareDraft, dirty: boolean): boolean {
  return draft.mode === "private" ? port.share.mode === "private" : isShared(port) && !dirty;
}

function buttonText(port: Port, draft: ShareDraft, dirty: boolean): string {
  if (draft.mode === "private") return port.share.mode === "private" ? "Is private" : "Stop sharing";
  if (!isShared(port)) return hasExpired(port) ? "Share again" : "Share";
  return dirty ? "Save changes" : "Shared";
}

async function stopSharing(port: Port): Promise<void> {
  await removeShare(port.port);
  dispatch({
    id: null,
    type: "share.changed",
    data: { port: port.port, share: privateShare(port.port, port.url) },
  });
  notify(`${port.port} is private again. Open visits were ended.`);
  closeSheet();
}
