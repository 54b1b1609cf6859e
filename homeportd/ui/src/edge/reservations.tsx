import { audienceWords, byKind, KIND_WORDS, labelOf, limitWords } from "../model/tunnels";
import type { Reservation } from "../model/types";
import { Command } from "../parts/command";
import { CopyIcon, ListIcon, PencilIcon, PlusIcon, TrashIcon } from "../parts/icons";
import type { MenuItem } from "../parts/menu";
import { NoMatch } from "../parts/no-match";
import { open } from "../state/route";
import { filter } from "../state/store";
import { askToRemove, copyAddress } from "./actions";
import { Audience, BLOCKS, Block, Lesson, PlaceRow, toneOf } from "./parts";
import { reservations } from "./state";

const openNew = () => open({ name: "reserve", kind: "http", label: "" });

export function Reservations() {
  const all = reservations.value;
  const blocks = byKind(all, filter.value, reservationText);
  if (all.length === 0) return <NoReservations />;
  return (
    <div class="space-y-4">
      <button type="button" class="button-plain" onClick={openNew}>
        <PlusIcon /> Reserve a name or port
      </button>
      {blocks.length === 0 && <NoMatch what="reservation" />}
      {blocks.map(({ kind, places }) => (
        <Block key={kind} title={BLOCKS[kind]}>
          {places.map((each) => (
            <Row key={each.id} reservation={each} />
          ))}
        </Block>
      ))}
    </div>
  );
}

const ownerWords = (each: Reservation): string =>
  each.token ? `for ${each.token}` : "for the first that uses it";

const reservationText = (each: Reservation): string =>
  [
    labelOf(each),
    KIND_WORDS[each.kind],
    each.address,
    audienceWords(each),
    each.allow.join(" "),
    ownerWords(each),
    each.live ? "live" : "not live",
  ].join(" ");

/** What is kept, for whom, who may, and whether anyone holds it now. */
function Row({ reservation }: { reservation: Reservation }) {
  const edit = { name: "reservation", id: reservation.id } as const;
  return (
    <PlaceRow
      id={`reservation ${reservation.id}`}
      place={reservation}
      to={edit}
      tone={toneOf(reservation)}
      live={reservation.live}
      menu={menuItems(reservation)}
      action={
        <button
          type="button"
          class="button-quiet"
          aria-label={`Change ${labelOf(reservation)}`}
          onClick={() => open(edit)}
        >
          Change
        </button>
      }
    >
      <Audience of={reservation} live={reservation.live} />
      <p class="text-small text-soft [overflow-wrap:anywhere]">
        {[reservation.live ? "live" : "not live", ownerWords(reservation), limitWords(reservation.limits)]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </PlaceRow>
  );
}

function menuItems(reservation: Reservation): MenuItem[] {
  const { id } = reservation;
  return [
    { label: "Change …", icon: <PencilIcon />, hint: "e", run: () => open({ name: "reservation", id }) },
    { label: "Copy address", icon: <CopyIcon />, hint: "c", run: () => void copyAddress(reservation) },
    { label: "Chart and log", icon: <ListIcon />, hint: "l", run: () => open({ name: "tunnel", id }) },
    { label: "Remove …", icon: <TrashIcon />, run: () => askToRemove(reservation) },
  ];
}

function NoReservations() {
  return (
    <Lesson
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
    </Lesson>
  );
}
