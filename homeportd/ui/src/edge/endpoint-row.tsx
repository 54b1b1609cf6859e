import type { ComponentChildren } from "preact";
import type { TunnelKind } from "../api/types";
import { CopyIcon } from "../components/icons";
import { Menu, type MenuItem } from "../components/menu";
import { StatusDot, TONE_TEXT, type Tone } from "../components/status-dot";
import { describeAudience, type Endpoint, labelOf } from "../model/tunnels";
import { navigate, type Route, routeHash } from "../state/route";
import { copyAddress } from "./edge-actions";

/** The rows of one kind under their heading. */
export function RowGroup({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section aria-label={title} class="appear rounded-box border border-line bg-paper">
      <h2 class="px-4 pt-3 pb-1 font-semibold">{title}</h2>
      <ul class="pb-1.5">{children}</ul>
    </section>
  );
}

export const KIND_HEADINGS: Record<TunnelKind, string> = {
  http: "HTTP names",
  tcp: "TCP ports",
  udp: "UDP ports",
};

/** An address without its scheme, and a button that copies the whole address. */
export function Address({ endpoint }: { endpoint: Endpoint }) {
  return (
    <span class="flex min-w-0 items-center">
      <span class="min-w-0 font-mono text-small text-soft [overflow-wrap:anywhere]">
        {endpoint.address.replace(/^https?:\/\//, "")}
      </span>
      <button
        type="button"
        class="button px-0 text-soft hover:bg-hover sm:-my-1"
        aria-label={`Copy ${endpoint.address}`}
        onClick={() => void copyAddress(endpoint)}
      >
        <CopyIcon />
      </button>
    </span>
  );
}

interface RowProps {
  id: string;
  endpoint: Endpoint;
  /** The sheet that a click on the name opens. */
  to: Route;
  tone: Tone;
  live: boolean;
  /** The one action that is most likely next. */
  action: ComponentChildren;
  menu: MenuItem[];
  /** Who may open it, and its state. */
  children: ComponentChildren;
}

/**
 * The row of a tunnel or reservation: state, name and address, who may open it; then the likely action and the menu.
 * On a phone the actions stay beside the name, and everything else is below.
 */
export function EndpointRow({ id, endpoint, to, tone, live, action, menu, children }: RowProps) {
  const label = labelOf(endpoint);
  return (
    <li
      data-row={id}
      class="appear grid grid-cols-[0.625rem_minmax(0,1fr)_auto_auto] items-center gap-x-2.5 px-4 py-1.5 max-sm:pr-2 sm:grid-cols-[0.625rem_minmax(0,1fr)_16rem_5rem_auto] sm:grid-rows-[auto_1fr] sm:gap-x-3 lg:grid-cols-[0.625rem_minmax(0,1fr)_20rem_5rem_auto] focus-within:bg-accent-wash hover:bg-hover focus-within:hover:bg-accent-wash"
    >
      <span class="max-sm:self-start max-sm:pt-[17px]">
        <StatusDot tone={live ? tone : "private"} filled={live} />
      </span>
      <a
        data-row-link
        href={routeHash(to)}
        class={`min-w-0 py-1.5 font-semibold max-sm:self-start max-sm:py-[11px] [overflow-wrap:anywhere] sm:pb-1 ${endpoint.kind === "http" ? "" : "font-mono"} ${live ? "" : "text-soft"}`}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          navigate(to);
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
        <Address endpoint={endpoint} />
      </div>
    </li>
  );
}

/** Who may open an endpoint, in its colour while it is live: "Public · from anywhere". */
export function Audience({
  of,
  live,
}: {
  of: { passcode: boolean; allow: readonly string[] };
  live: boolean;
}) {
  const [mode, from] = describeAudience(of).split(" · ");
  return (
    <p class="[overflow-wrap:anywhere]">
      <span class={live ? `font-semibold ${TONE_TEXT[audienceTone(of)]}` : "text-soft"}>{mode}</span>{" "}
      <span class="text-soft">· {from}</span>
    </p>
  );
}

export const audienceTone = ({ passcode }: { passcode: boolean }): Tone => (passcode ? "password" : "public");
