/** The pages and sheets of an edge: what the lazily loaded part of the script exports. */

import { ConfirmDialog } from "../components/confirm-dialog";
import { Dialog } from "../components/dialog";
import { describeCounts } from "../model/tunnels";
import type { EdgePages } from "../state/edge-pages";
import { closeSheet, route, type TunnelPage } from "../state/route";
import { DomainSheet } from "./domain-sheet";
import { DomainsPage } from "./domains-page";
import { onRowKey } from "./edge-actions";
import { confirmation, domains, load, reservations, tunnels } from "./edge-state";
import { paletteEntries } from "./palette-entries";
import { ReservationSheet } from "./reservation-sheet";
import { ReservationsPage } from "./reservations-page";
import { TunnelSheet } from "./tunnel-sheet";
import { TunnelsPage } from "./tunnels-page";

function Page({ page }: { page: TunnelPage }) {
  if (tunnels.value === null) return <p class="text-soft">Fetching the tunnels …</p>;
  switch (page) {
    case "tunnels":
      return <TunnelsPage />;
    case "reservations":
      return <ReservationsPage />;
    case "domains":
      return <DomainsPage />;
  }
}

function Sheets() {
  const to = route.value;
  return (
    <>
      {to.name === "tunnel" && <TunnelSheet key={to.id} id={to.id} />}
      {to.name === "reserve" && <ReservationSheet reservation={null} kind={to.kind} label={to.label} />}
      {to.name === "reservation" && <ExistingReservation key={to.id} id={to.id} />}
      {to.name === "add-domain" && <DomainSheet />}
      {confirmation.value && (
        <ConfirmDialog
          confirmation={confirmation.value}
          onClose={() => {
            confirmation.value = null;
          }}
        />
      )}
    </>
  );
}

function ExistingReservation({ id }: { id: string }) {
  const reservation = reservations.value.find((each) => each.id === id);
  if (reservation) return <ReservationSheet reservation={reservation} />;
  return (
    <Dialog title="Reservation" onClose={closeSheet}>
      <p class="text-soft">
        {tunnels.value === null ? "Fetching it …" : "It is gone: somebody removed it meanwhile."}
      </p>
    </Dialog>
  );
}

function Summary({ page }: { page: TunnelPage }) {
  if (tunnels.value === null) return null;
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
  switch (page) {
    case "tunnels":
      return <>{describeCounts(tunnels.value.values())}</>;
    case "reservations":
      return <>{count(reservations.value.length, "reservation")}</>;
    case "domains":
      return <>{count(domains.value?.length ?? 0, "domain")}</>;
  }
}

export const edgePages: EdgePages = {
  Page,
  Sheets,
  Summary,
  hasDomains: () => domains.value !== null,
  paletteEntries,
  onRowKey,
  load,
};
