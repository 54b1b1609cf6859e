import { useState } from "preact/hooks";
import { hasEnded, isShared, portName } from "../model/describe";
import {
  type Draft,
  draftOf,
  draftProblems,
  draftRequest,
  draftSentence,
  generatePassword,
} from "../model/draft";
import type { Port } from "../model/types";
import { NO_SHARE, unlisted } from "../model/world";
import { type Problem, removeShare, setShare } from "../net/client";
import { Dialog } from "../parts/dialog";
import { PasswordField } from "../parts/password-field";
import { ProblemBox } from "../parts/problem-box";
import { attempt } from "../state/attempt";
import { announce, notify } from "../state/notice";
import { close } from "../state/route";
import { now, receive, world } from "../state/store";
import { CautionBox } from "./caution-box";
import { ExpiryChoice } from "./expiry-choice";
import { LinkBox } from "./link-box";
import { ModeChoice } from "./mode-choice";
import { Narrowing } from "./narrowing";

/** Who may see a port, until when, and the link to hand out. A port need not listen to be shared. */
export function ShareSheet({ number }: { number: number }) {
  const port = world.value.ports.get(number) ?? unlisted(world.value, number);
  const repo = world.value.repos.find((each) => each.id === port.repo);
  const [draft, setDraft] = useState(() => draftOf(port, new Date()));
  const [saved, setSaved] = useState(draft);
  const [fresh, setFresh] = useState(false);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const problems = draftProblems(draft, now.value);
  const shown = tried ? problems : {};
  const shared = isShared(port);
  const dirty = JSON.stringify(draft) !== JSON.stringify(saved);
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));

  const save = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    setProblem(null);
    if (Object.keys(draftProblems(draft, new Date())).length > 0) {
      announce("Something is missing; see the fields in red.");
      return;
    }
    setBusy(true);
    await attempt(async () => {
      if (draft.mode === "private") await stop(number);
      else {
        const share = await setShare(number, draftRequest(draft));
        receive({ id: null, type: "share.changed", data: { port: number, share } });
        // The password stays in the field: the person may still want to copy it.
        const kept = { ...draft, hasPassword: share.mode === "password" };
        setDraft(kept);
        setSaved(kept);
        setTried(false);
        setFresh(true);
        announce(`Saved. ${draftSentence(draft, new Date())}`);
      }
    }, setProblem);
    setBusy(false);
  };

  return (
    <Dialog
      title={`Share ${number}`}
      about={[portName(port), repo && `in ${repo.name}`].filter(Boolean).join(" · ")}
      width="sm:max-w-2xl"
      onClose={close}
      foot={
        <div class="flex flex-wrap items-center gap-x-4 gap-y-2.5">
          <p class="min-w-0 flex-1 basis-60 font-medium [overflow-wrap:anywhere]" data-sentence>
            {draftSentence(draft, now.value)}
          </p>
          <button
            type="submit"
            form="share"
            class="button-main max-sm:w-full"
            disabled={busy || isDone(port, draft, dirty)}
          >
            {busy ? "Saving …" : buttonWords(port, draft, dirty)}
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
            problem={shown.password}
            generate={() => generatePassword((bytes) => crypto.getRandomValues(bytes))}
            copies
          />
        )}
        {draft.mode !== "private" && (
          <>
            <ExpiryChoice
              expiry={draft.expiry}
              problem={shown.expiry}
              onChange={(expiry) => change({ expiry })}
            />
            <Narrowing draft={draft} problems={shown} onChange={change} />
          </>
        )}
        {problem && <ProblemBox problem={problem} />}
        {shared && draft.mode !== "private" && <LinkBox url={port.url} pending={dirty} reveal={fresh} />}
      </form>
    </Dialog>
  );
}

/** Nothing is left to be done, so the button rests. */
function isDone(port: Port, draft: Draft, dirty: boolean): boolean {
  return draft.mode === "private" ? port.share.mode === "private" : isShared(port) && !dirty;
}

function buttonWords(port: Port, draft: Draft, dirty: boolean): string {
  if (draft.mode === "private") return port.share.mode === "private" ? "Is private" : "Stop sharing";
  if (!isShared(port)) return hasEnded(port) ? "Share again" : "Share";
  return dirty ? "Save changes" : "Shared";
}

async function stop(number: number): Promise<void> {
  await removeShare(number);
  receive({ id: null, type: "share.changed", data: { port: number, share: NO_SHARE } });
  notify(`${number} is private again. Open visits were ended.`);
  close();
}
