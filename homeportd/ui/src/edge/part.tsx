/** The pages of an edge, in a file of their own. */

import { countWords } from "../model/tunnels";
import { Confirm } from "../parts/confirm";
import { Dialog } from "../parts/dialog";
import { Tokens } from "../settings/tokens";
import type { EdgePart } from "../state/edge";
import { close, type PageName, route } from "../state/route";
import { filter } from "../state/store";
import { onRowKey } from "./actions";
import { DomainSheet } from "./domain-sheet";
import { Domains } from "./domains";
import { entries } from "./entries";
import { ReservationSheet } from "./reservation-sheet";
import { Reservations } from "./reservations";
import { domains, load, question, reservations, tunnels } from "./state";
import { TunnelSheet } from "./tunnel-sheet";
import { Tunnels } from "./tunnels";

function Page({ page }: { page: PageName }) {
  if (tunnels.value === null) return <p class="text-soft">Fetching the tunnels …</p>;
  switch (page) {
    case "tunnels":
      return <Tunnels />;
    case "reservations":
      return <Reservations />;
    case "domains":
      return <Domains />;
    case "tokens":
      return (
        <div class="max-w-3xl rounded-box border border-line bg-paper p-4 sm:p-6">
          <Tokens filter={filter.value} heading="h2" />
        </div>
      );
    default:
      return null;
  }
}

function Sheets() {
  const to = route.value;
  return (
    <>
      {to.name === "tunnel" && <TunnelSheet key={to.id} id={to.id} />}
      {to.name === "reserve" && <ReservationSheet reservation={null} kind={to.kind} label={to.label} />}
      {to.name === "reservation" && <KnownReservation key={to.id} id={to.id} />}
      {to.name === "add-domain" && <DomainSheet />}
      {question.value && (
        <Confirm
          question={question.value}
          onClose={() => {
            question.value = null;
          }}
        />
      )}
    </>
  );
}

function KnownReservation({ id }: { id: string }) {
  const reservation = reservations.value.find((each) => each.id === id);
  if (reservation) return <ReservationSheet reservation={reservation} />;
  return (
    <Dialog title="Reservation" onClose={close}>
      <p class="text-soft">
        {tunnels.value === null ? "Fetching it …" : "It is gone: somebody removed it meanwhile."}
      </p>
    </Dialog>
  );
}

function Summary({ page }: { page: PageName }) {
  if (tunnels.value === null) return null;
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
  switch (page) {
    case "tunnels":
      return <>{countWords(tunnels.value.values())}</>;
    case "reservations":
      return <>{count(reservations.value.length, "reservation")}</>;
    case "domains":
      return <>{count(domains.value?.length ?? 0, "domain")}</>;
    default:
      return null;
  }
}

export const part: EdgePart = {
  Page,
  Sheets,
  Summary,
  hasDomains: () => domains.value !== null,
  entries,
  onRowKey,
  load,
};
