import { useEffect, useState } from "preact/hooks";
import {
  clientWords,
  type Draft,
  draftOf,
  newDraft,
  type Problems,
  problemsOf,
  requestOf,
  rulesOf,
  sentenceOf,
} from "../model/reservation";
import { labelOf } from "../model/tunnels";
import type { Kind, Reservation, Token } from "../model/types";
import { getTokens, type Problem } from "../net/client";
import { Chips } from "../parts/chips";
import { Dialog } from "../parts/dialog";
import { Field } from "../parts/field";
import { PasswordField } from "../parts/password-field";
import { ProblemBox } from "../parts/problem-box";
import { attempt } from "../state/attempt";
import { announce, notify } from "../state/notice";
import { close } from "../state/route";
import { status } from "../state/store";
import { changeReservation, reserve } from "./calls";
import { changeReservations, loadReservations, shownTunnels } from "./state";

const KINDS: readonly { value: Kind; words: string }[] = [
  { value: "http", words: "HTTP name" },
  { value: "tcp", words: "TCP port" },
  { value: "udp", words: "UDP port" },
];
const NO_RANGES = { tcp_ports: "1-65535", udp_ports: "1-65535" };

interface Props {
  /** Null: a new one. */
  reservation: Reservation | null;
  kind?: Kind;
  label?: string;
}

/** What is kept and who may come through it; a change holds at once, for visitors that are here too. */
export function ReservationSheet({ reservation, kind = "http", label = "" }: Props) {
  const [draft, setDraft] = useState(() => (reservation ? draftOf(reservation) : newDraft(kind, label)));
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ranges = status.value?.edge ?? NO_RANGES;
  const problems = problemsOf(draft, ranges);
  const shown: Problems = tried ? problems : {};
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));

  const save = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    setProblem(null);
    if (Object.keys(problems).length > 0) {
      announce("Something is missing; see the fields in red.");
      return;
    }
    setBusy(true);
    const done = await attempt(async () => {
      const saved = reservation
        ? await changeReservation(reservation.id, rulesOf(draft))
        : await reserve(requestOf(draft));
      changeReservations((before) => [...before.filter((each) => each.id !== saved.id), saved]);
      notify(reservation ? `${labelOf(saved)}: the new rules hold.` : `${labelOf(saved)} is reserved.`);
      void loadReservations();
      close();
    }, setProblem);
    if (!done) setBusy(false);
  };

  return (
    <Dialog
      title={reservation ? `Who may reach ${labelOf(reservation)}` : "Reserve a name or port"}
      about={reservation?.address}
      onClose={close}
      foot={
        <div class="flex flex-wrap items-center gap-x-4 gap-y-2.5">
          <p class="min-w-0 flex-1 basis-60 font-medium [overflow-wrap:anywhere]" data-sentence>
            {sentenceOf(draft)}
            {reservation && ` ${clientWords(reservation, shownTunnels.value.get(reservation.id))}`}
          </p>
          <button type="submit" form="reservation" class="button-main max-sm:w-full" disabled={busy}>
            {busy ? "Saving …" : reservation ? "Save changes" : "Reserve"}
          </button>
        </div>
      }
    >
      <form id="reservation" class="space-y-5" noValidate onSubmit={save}>
        {reservation === null && <Place draft={draft} problems={shown} change={change} ranges={ranges} />}
        <Field
          label="Allowed networks"
          help="Addresses or CIDR blocks, such as 203.0.113.7 or 2001:db8::/32. Empty: from anywhere."
          problem={shown.networks}
          value={draft.networks}
          onInput={(networks) => change({ networks })}
          style="font-mono"
        />
        {draft.kind === "http" && <Passcode draft={draft} change={change} />}
        <div class="grid gap-x-4 gap-y-5 sm:grid-cols-2">
          <Field
            label="Connections at a time"
            help="Empty: no limit."
            problem={shown.connections}
            value={draft.connections}
            onInput={(connections) => change({ connections })}
            numeric
          />
          <Field
            label="kB a second, each way"
            help="Empty: no limit."
            problem={shown.rate}
            value={draft.rate}
            onInput={(rate) => change({ rate })}
            numeric
          />
        </div>
        {problem && <ProblemBox problem={problem} />}
      </form>
    </Dialog>
  );
}

interface PlaceProps {
  draft: Draft;
  problems: Problems;
  change: (part: Partial<Draft>) => void;
  ranges: { tcp_ports: string; udp_ports: string };
}

/** What to keep, and for which token. */
function Place({ draft, problems, change, ranges }: PlaceProps) {
  const [tokens, setTokens] = useState<Token[]>([]);
  useEffect(() => {
    // Without the list the choice is the first comer's; the reservation can be made all the same.
    getTokens().then(setTokens, () => {});
  }, []);
  const good = tokens.filter((token) => token.scope === "tunnel" && token.expires_at === null);
  const span = (draft.kind === "tcp" ? ranges.tcp_ports : ranges.udp_ports).replace("-", " to ");
  return (
    <>
      <Chips
        legend="What"
        chips={KINDS}
        value={draft.kind}
        onChange={(kind) => change({ kind, label: "" })}
      />
      <Field
        label={draft.kind === "http" ? "Name" : "Port"}
        help={
          draft.kind === "http"
            ? `It becomes ${(status.value?.edge?.url ?? "").replace("{name}", draft.label.trim().toLowerCase() || "myapp")}. Empty: the edge chooses.`
            : `${span}. Empty: the edge chooses.`
        }
        problem={problems.label}
        value={draft.label}
        onInput={(label) => change({ label })}
        style="font-mono"
        numeric={draft.kind !== "http"}
      />
      <div>
        <label class="label" for="for-token">
          For
        </label>
        <select
          id="for-token"
          class="field"
          value={draft.token}
          onChange={(event) => change({ token: event.currentTarget.value })}
        >
          <option value="">the first token that uses it</option>
          {good.map((token) => (
            <option key={token.id} value={String(token.id)}>
              {token.name} ({token.prefix}…)
            </option>
          ))}
        </select>
      </div>
    </>
  );
}

function Passcode({ draft, change }: { draft: Draft; change: (part: Partial<Draft>) => void }) {
  return (
    <div class="space-y-2">
      {!draft.open && (
        <PasswordField
          label="Passcode"
          value={draft.passcode}
          onInput={(passcode) => change({ passcode })}
          autocomplete="off"
          help={
            draft.hasPasscode
              ? "One is set; leave this empty to keep it."
              : "Visitors type it once. Empty: nobody is asked."
          }
          copies
        />
      )}
      {draft.hasPasscode && (
        <label class="target flex w-fit items-center gap-2.5">
          <input
            type="checkbox"
            class="size-5 accent-accent"
            checked={draft.open}
            onChange={(event) => change({ open: event.currentTarget.checked, passcode: "" })}
          />
          Ask nobody for a passcode any more
        </label>
      )}
    </div>
  );
}
