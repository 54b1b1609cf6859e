import { useEffect, useState } from "preact/hooks";
import type { Reservation, Token, TunnelKind } from "../api/types";
import { announce, notify } from "../browser/notices";
import { Check } from "../components/check";
import { Chips } from "../components/chips";
import { Dialog } from "../components/dialog";
import { Field } from "../components/field";
import { PasswordField } from "../components/password-field";
import { ProblemBox } from "../components/problem-box";
import {
  describeClientRules,
  describeReservationDraft,
  newReservationDraft,
  type ReservationDraft,
  type ReservationDraftErrors,
  reservationDraftOf,
  reservationRequestOf,
  rulesRequestOf,
  validateReservationDraft,
} from "../model/reservation-draft";
import { labelOf } from "../model/tunnels";
import { getTokens } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { status } from "../state/machine";
import { closeSheet } from "../state/route";
import { changeReservation, createReservation } from "./edge-api";
import { changeReservations, loadReservations, shownTunnels } from "./edge-state";

const KINDS: readonly { value: TunnelKind; label: string }[] = [
  { value: "http", label: "HTTP name" },
  { value: "tcp", label: "TCP port" },
  { value: "udp", label: "UDP port" },
];
const NO_RANGES = { tcp_ports: "1-65535", udp_ports: "1-65535" };

interface Props {
  /** Null: a new one. */
  reservation: Reservation | null;
  kind?: TunnelKind;
  label?: string;
}

/** Makes a reservation or changes its rules. A change applies at once, to connected visitors too. */
export function ReservationSheet({ reservation, kind = "http", label = "" }: Props) {
  const [draft, setDraft] = useState(() =>
    reservation ? reservationDraftOf(reservation) : newReservationDraft(kind, label),
  );
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ranges = status.value?.edge ?? NO_RANGES;
  const errors = validateReservationDraft(draft, ranges);
  const shownErrors: ReservationDraftErrors = tried ? errors : {};
  const change = (part: Partial<ReservationDraft>) => setDraft((before) => ({ ...before, ...part }));

  const save = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    setProblem(null);
    if (Object.keys(errors).length > 0) {
      announce("Something is missing; see the fields in red.");
      return;
    }
    setBusy(true);
    const done = await attempt(async () => {
      const saved = reservation
        ? await changeReservation(reservation.id, rulesRequestOf(draft))
        : await createReservation(reservationRequestOf(draft));
      changeReservations((before) => [...before.filter((each) => each.id !== saved.id), saved]);
      notify(reservation ? `${labelOf(saved)}: the new rules hold.` : `${labelOf(saved)} is reserved.`);
      void loadReservations();
      closeSheet();
    }, setProblem);
    if (!done) setBusy(false);
  };

  return (
    <Dialog
      title={reservation ? `Who may reach ${labelOf(reservation)}` : "Reserve a name or port"}
      about={reservation?.address}
      onClose={closeSheet}
      footer={
        <div class="flex flex-wrap items-center gap-x-4 gap-y-2.5">
          <p class="min-w-0 flex-1 basis-60 font-medium [overflow-wrap:anywhere]" data-sentence>
            {describeReservationDraft(draft)}
            {reservation && ` ${describeClientRules(reservation, shownTunnels.value.get(reservation.id))}`}
          </p>
          <button type="submit" form="reservation" class="button-main max-sm:w-full" disabled={busy}>
            {busy ? "Saving …" : reservation ? "Save changes" : "Reserve"}
          </button>
        </div>
      }
    >
      <form id="reservation" class="space-y-5" noValidate onSubmit={save}>
        {reservation === null && (
          <EndpointFields draft={draft} errors={shownErrors} change={change} ranges={ranges} />
        )}
        <Field
          label="Allowed networks"
          help="Addresses or CIDR blocks, such as 203.0.113.7 or 2001:db8::/32. Empty: from anywhere."
          error={shownErrors.networks}
          value={draft.networks}
          onInput={(networks) => change({ networks })}
          style="font-mono"
        />
        {draft.kind === "http" && <Passcode draft={draft} change={change} />}
        {draft.kind === "http" && (
          <Check
            label={`Names below it lead there too, such as foo.${draft.label.trim().toLowerCase() || "myapp"}`}
            checked={draft.subdomains}
            onChange={(subdomains) => change({ subdomains })}
          />
        )}
        <div class="grid gap-x-4 gap-y-5 sm:grid-cols-2">
          <Field
            label="Connections at a time"
            help="Empty: no limit."
            error={shownErrors.connections}
            value={draft.connections}
            onInput={(connections) => change({ connections })}
            numeric
          />
          <Field
            label="kB a second, each way"
            help="Empty: no limit."
            error={shownErrors.rate}
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
  draft: ReservationDraft;
  errors: ReservationDraftErrors;
  change: (part: Partial<ReservationDraft>) => void;
  ranges: { tcp_ports: string; udp_ports: string };
}

/** What to keep, and for which token. */
function EndpointFields({ draft, errors, change, ranges }: PlaceProps) {
  const [tokens, setTokens] = useState<Token[]>([]);
  useEffect(() => {
    // Without the list the choice is the first comer's; the reservation can be made all the same.
    getTokens().then(setTokens, () => {});
  }, []);
  const usable = tokens.filter((token) => token.scope === "tunnel" && token.expires_at === null);
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
        error={errors.label}
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
          {usable.map((token) => (
            <option key={token.id} value={String(token.id)}>
              {token.name} ({token.prefix}…)
            </option>
          ))}
        </select>
      </div>
    </>
  );
}

function Passcode({
  draft,
  change,
}: {
  draft: ReservationDraft;
  change: (part: Partial<ReservationDraft>) => void;
}) {
  return (
    <div class="space-y-2">
      {!draft.removePasscode && (
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
        <Check
          label="Ask nobody for a passcode any more"
          checked={draft.removePasscode}
          onChange={(removePasscode) => change({ removePasscode, passcode: "" })}
        />
      )}
    </div>
  );
}
