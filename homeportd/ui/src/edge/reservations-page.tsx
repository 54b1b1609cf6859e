import type { Reservation } from "../api/types";
import { Command } from "../components/command";
import { EmptyPage } from "../components/empty-page";
import { CopyIcon, ListIcon, PencilIcon, PlusIcon, TrashIcon } from "../components/icons";
import type { MenuItem } from "../components/menu";
import { NoMatch } from "../components/no-match";
import { describeAudience, describeLimits, groupByKind, KIND_LABELS, labelOf } from "../model/tunnels";
import { filter } from "../state/filter";
import { navigate } from "../state/route";
import { confirmRemoveReservation, copyAddress } from "./edge-actions";
import { reservations } from "./edge-state";
import { Audience, audienceTone, EndpointRow, KIND_HEADINGS, RowGroup } from "./endpoint-row";

const openNew = () => navigate({ name: "reserve", kind: "http", label: "" });

export function ReservationsPage() {
  const all = reservations.value;
  const groups = groupByKind(all, filter.value, reservationText);
  if (all.length === 0) return <NoReservations />;
  return (
    <div class="space-y-4">
      <button type="button" class="button-plain" onClick={openNew}>
        <PlusIcon /> Reserve a name or port
      </button>
      {groups.length === 0 && <NoMatch what="reservation" filter={filter} />}
      {groups.map(({ kind, endpoints }) => (
        <RowGroup key={kind} title={KIND_HEADINGS[kind]}>
          {endpoints.map((each) => (
            <Row key={each.id} reservation={each} />
          ))}
        </RowGroup>
      ))}
    </div>
  );
}

const ownerText = (each: Reservation): string =>
  each.token ? `for ${each.token}` : "for the first that uses it";

const reservationText = (each: Reservation): string =>
  [
    labelOf(each),
    KIND_LABELS[each.kind],
    each.address,
    describeAudience(each),
    each.allow.join(" "),
    ownerText(each),
    each.live ? "live" : "not live",
  ].join(" ");

/** The row of a reservation: who may open it, whether a tunnel is live, and the token that owns it. */
function Row({ reservation }: { reservation: Reservation }) {
  const edit = { name: "reservation", id: reservation.id } as const;
  return (
    <EndpointRow
      id={`reservation ${reservation.id}`}
      endpoint={reservation}
      to={edit}
      tone={audienceTone(reservation)}
      live={reservation.live}
      menu={menuItems(reservation)}
      action={
        <button
          type="button"
          class="button-quiet"
          aria-label={`Change ${labelOf(reservation)}`}
          onClick={() => navigate(edit)}
        >
          Change
        </button>
      }
    >
      <Audience of={reservation} live={reservation.live} />
      <p class="text-small text-soft [overflow-wrap:anywhere]">
        {[reservation.live ? "live" : "not live", ownerText(reservation), describeLimits(reservation.limits)]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </EndpointRow>
  );
}

function menuItems(reservation: Reservation): MenuItem[] {
  const { id } = reservation;
  return [
    { label: "Change …", icon: <PencilIcon />, hint: "e", run: () => navigate({ name: "reservation", id }) },
    { label: "Copy address", icon: <CopyIcon />, hint: "c", run: () => void copyAddress(reservation) },
    { label: "Chart and log", icon: <ListIcon />, hint: "l", run: () => navigate({ name: "tunnel", id }) },
    { label: "Remove …", icon: <TrashIcon />, run: () => confirmRemoveReservation(reservation) },
  ];
}

function NoReservations() {
  return (
    <EmptyPage
      title="Nothing is reserved yet"
      about="A reserved name or port stays yours while its client is away, with its networks, limits and passcode. One that a client chooses by itself is reserved for its token at once."
    >
      <div>
        <button type="button" class="button-main" onClick={openNew}>
          <PlusIcon /> Reserve a name or port
        </button>
      </div>
      <div>
        <p class="mb-1.5">Or in a terminal of this edge:</p>
        <Command text="homeport reservations add http myapp" />
      </div>
    </EmptyPage>
  );
}
