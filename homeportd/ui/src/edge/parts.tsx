import type { ComponentChildren } from "preact";
import { audienceWords, labelOf } from "../model/tunnels";
import type { Kind } from "../model/types";
import { CopyIcon } from "../parts/icons";
import { Menu, type MenuItem } from "../parts/menu";
import { open, type Route, routeHash } from "../state/route";
import { copyAddress } from "./actions";

export type Tone = "public" | "password" | "private" | "broken";

const DOTS: Record<Tone, string> = {
  public: "border-public-dot bg-public-dot",
  password: "border-password-dot bg-password-dot",
  private: "border-private-dot bg-private-dot",
  broken: "border-danger bg-danger",
};
export const TONE_WORDS: Record<Tone, string> = {
  public: "text-public",
  password: "text-password",
  private: "text-private",
  broken: "text-danger",
};

/** The state's colour; hollow when nothing is live. The words beside it say the same. */
export function Dot({ tone, filled }: { tone: Tone; filled: boolean }) {
  return (
    <span
      aria-hidden="true"
      class={`block size-2.5 shrink-0 rounded-full border-2 ${DOTS[tone]} ${filled ? "" : "bg-transparent"}`}
    />
  );
}

/** A quiet block of rows. */
export function Block({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section aria-label={title} class="appear rounded-box border border-line bg-paper">
      <h2 class="px-4 pt-3 pb-1 font-semibold">{title}</h2>
      <ul class="pb-1.5">{children}</ul>
    </section>
  );
}

export const BLOCKS: Record<Kind, string> = { http: "HTTP names", tcp: "TCP ports", udp: "UDP ports" };

interface Place {
  name: string | null;
  port: number | null;
  address: string;
}

/** An address for the eyes; the button copies it whole. */
export function Address({ place }: { place: Place }) {
  return (
    <span class="flex min-w-0 items-center">
      <span class="min-w-0 font-mono text-small text-soft [overflow-wrap:anywhere]">
        {place.address.replace(/^https?:\/\//, "")}
      </span>
      <button
        type="button"
        class="button px-0 text-soft hover:bg-hover sm:-my-1"
        aria-label={`Copy ${place.address}`}
        onClick={() => void copyAddress(place)}
      >
        <CopyIcon />
      </button>
    </span>
  );
}

interface RowProps {
  id: string;
  place: Place & { kind: Kind };
  /** Where the name leads. */
  to: Route;
  tone: Tone;
  live: boolean;
  /** The one action that is most likely next. */
  action: ComponentChildren;
  menu: MenuItem[];
  /** Who may, and what else is to be known. */
  children: ComponentChildren;
}

/**
 * A name or port as a sentence: state, name and address, who may; then the likely action and the rest. On a phone the
 * actions stay beside the name, and everything else goes below it.
 */
export function PlaceRow({ id, place, to, tone, live, action, menu, children }: RowProps) {
  const label = labelOf(place);
  return (
    <li
      data-row={id}
      class="appear grid grid-cols-[0.625rem_minmax(0,1fr)_auto_auto] items-center gap-x-2.5 px-4 py-1.5 max-sm:pr-2 sm:grid-cols-[0.625rem_minmax(0,1fr)_16rem_5rem_auto] sm:grid-rows-[auto_1fr] sm:gap-x-3 lg:grid-cols-[0.625rem_minmax(0,1fr)_20rem_5rem_auto] focus-within:bg-accent-wash hover:bg-hover focus-within:hover:bg-accent-wash"
    >
      <span class="max-sm:self-start max-sm:pt-[17px]">
        <Dot tone={live ? tone : "private"} filled={live} />
      </span>
      <a
        data-row-link
        href={routeHash(to)}
        class={`min-w-0 py-1.5 font-semibold max-sm:self-start max-sm:py-[11px] [overflow-wrap:anywhere] sm:pb-1 ${place.kind === "http" ? "" : "font-mono"} ${live ? "" : "text-soft"}`}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          open(to);
        }}
      >
        {label}
      </a>
      <div class="min-w-0 max-sm:order-1 max-sm:col-[2/-1] max-sm:pb-1 max-sm:text-small sm:row-span-2">
        {children}
      </div>
      <div class="grid max-sm:self-start sm:row-span-2">{action}</div>
      <div class="max-sm:self-start sm:row-span-2">
        <Menu row={id} label={`More for ${label}`} items={menu} />
      </div>
      <div class="col-[2/-1] min-w-0 sm:col-[2/3] sm:row-start-2 sm:self-start">
        <Address place={place} />
      </div>
    </li>
  );
}

/** "Public · from anywhere", in its colour while somebody holds it. */
export function Audience({
  of,
  live,
}: {
  of: { passcode: boolean; allow: readonly string[] };
  live: boolean;
}) {
  const [mode, from] = audienceWords(of).split(" · ");
  return (
    <p class="[overflow-wrap:anywhere]">
      <span class={live ? `font-semibold ${TONE_WORDS[toneOf(of)]}` : "text-soft"}>{mode}</span>{" "}
      <span class="text-soft">· {from}</span>
    </p>
  );
}

export const toneOf = ({ passcode }: { passcode: boolean }): Tone => (passcode ? "password" : "public");

/** A page with nothing on it yet: what would be here, and the exact way to it. */
export function Lesson({
  title,
  about,
  children,
}: {
  title: string;
  about: string;
  children: ComponentChildren;
}) {
  return (
    <section aria-labelledby="lesson" class="rounded-box border border-line bg-paper p-4 sm:p-6">
      <h2 id="lesson" class="text-title font-semibold">
        {title}
      </h2>
      <p class="mt-1 max-w-2xl text-soft">{about}</p>
      <div class="mt-5 max-w-2xl space-y-4">{children}</div>
    </section>
  );
}
