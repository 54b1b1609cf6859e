import { useLayoutEffect, useRef } from "preact/hooks";
import { hasEnded, MODE_WORDS, modeNow, portName } from "../model/describe";
import type { Mode, Port } from "../model/types";
import { untilWords } from "../model/when";
import { CopyIcon, ListIcon, OpenIcon, ShareIcon, StopIcon } from "../parts/icons";
import { Menu, type MenuItem } from "../parts/menu";
import { copyLink, openPort, unshare } from "../state/actions";
import { open, routeHash } from "../state/route";
import { now } from "../state/store";

/** One port as a sentence: state, number, what it is, who may see it, until when; then what is likely next. */
export function PortRow({ port }: { port: Port }) {
  const share = { name: "share", port: port.port } as const;
  const ref = useKeptFocus(`port ${port.port}`);
  const calm = port.pid === null && port.repo === null && port.listening;
  return (
    <li
      ref={ref}
      data-port={port.port}
      data-row={`port ${port.port}`}
      class="appear grid grid-cols-[0.625rem_minmax(0,1fr)_auto_auto] items-center gap-x-2.5 px-4 py-1 max-sm:pr-2 sm:gap-x-3 focus-within:bg-accent-wash hover:bg-hover focus-within:hover:bg-accent-wash sm:grid-cols-[0.625rem_minmax(0,1fr)_16rem_5rem_auto] sm:py-0.5 lg:grid-cols-[0.625rem_minmax(0,1fr)_21rem_5rem_auto]"
    >
      <Dot mode={modeNow(port)} filled={port.listening} />
      <a
        data-row-link
        href={port.listening ? port.url : routeHash(share)}
        {...(port.listening ? { target: "_blank", rel: "noopener" } : { onClick: inPage(() => open(share)) })}
        class="flex min-w-0 gap-x-3 py-1 max-sm:col-span-3"
        title={port.command ?? undefined}
      >
        <span class={`min-w-[5ch] font-mono ${calm ? "" : "font-semibold"}`}>{port.port}</span>
        <span class={`min-w-0 [overflow-wrap:anywhere] ${calm || !port.listening ? "text-soft" : ""}`}>
          {portName(port)}
        </span>
      </a>
      <p class="min-w-0 [overflow-wrap:anywhere] max-sm:col-start-2 max-sm:self-start max-sm:text-small">
        <Audience port={port} />
      </p>
      {port.listening ? (
        <a
          class="button-quiet"
          href={port.url}
          target="_blank"
          rel="noopener"
          aria-label={`Open ${port.port}`}
        >
          Open
        </a>
      ) : (
        <a
          class="button-quiet"
          href={routeHash(share)}
          onClick={inPage(() => open(share))}
          aria-label={`Share ${port.port}`}
        >
          Share
        </a>
      )}
      <Menu row={`port ${port.port}`} label={`More for ${port.port}`} items={menuItems(port)} />
    </li>
  );
}

/** A row that moves to another block is mounted anew there: what had the focus in it has it again. */
function useKeptFocus(row: string) {
  const ref = useRef<HTMLLIElement>(null);
  useLayoutEffect(() => {
    const inside = (place: Element | null) => [...(place?.querySelectorAll<HTMLElement>("a, button") ?? [])];
    const place = ref.current;
    return () => {
      const at = inside(place).indexOf(document.activeElement as HTMLElement);
      if (at < 0) return;
      // Once the page is drawn it is known whether the row is elsewhere or gone.
      queueMicrotask(() => {
        if (document.activeElement !== document.body) return;
        const here = document.querySelector(`[data-row="${CSS.escape(row)}"]`);
        inside(here)[at]?.focus({ preventScroll: true });
      });
    };
  }, [row]);
  return ref;
}

/** A real link for the middle button and the status bar; a plain click stays in the page's own history. */
const inPage = (run: () => void) => (event: MouseEvent) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  run();
};

const DOTS: Record<Mode, string> = {
  private: "border-private-dot bg-private-dot",
  password: "border-password-dot bg-password-dot",
  public: "border-public-dot bg-public-dot",
};
const WORDS: Record<Mode, string> = {
  private: "text-private",
  password: "text-password",
  public: "text-public",
};

/** The state's colour; hollow when nothing listens. The words beside it say the same. */
function Dot({ mode, filled }: { mode: Mode; filled: boolean }) {
  return (
    <span
      aria-hidden="true"
      class={`size-2.5 rounded-full border-2 ${DOTS[mode]} ${filled ? "" : "bg-transparent"}`}
    />
  );
}

/** Who may see it, until when, and what narrows that. */
function Audience({ port }: { port: Port }) {
  const { allow, expires_at, max_uses, uses } = port.share;
  const mode = modeNow(port);
  const details =
    mode === "private"
      ? ["only you", ...(hasEnded(port) ? [`share ${untilWords(expires_at, now.value)}`] : [])]
      : [
          untilWords(expires_at, now.value),
          ...(allow.length > 0
            ? [allow.length === 1 ? `from ${allow[0]}` : `from ${allow.length} networks`]
            : []),
          ...(max_uses === null ? [] : [`${uses} of ${max_uses} uses`]),
        ];
  const words = details.join(" · ");
  return (
    <>
      <span class={mode === "private" ? WORDS[mode] : `font-semibold ${WORDS[mode]}`}>
        {MODE_WORDS[mode]}
      </span>{" "}
      <span class="text-soft">{words.startsWith("until") ? words : `· ${words}`}</span>
    </>
  );
}

function menuItems(port: Port): MenuItem[] {
  const number = port.port;
  return [
    ...(port.listening ? [{ label: "Open", icon: <OpenIcon />, hint: "↵", run: () => openPort(port) }] : []),
    { label: "Share …", icon: <ShareIcon />, hint: "s", run: () => open({ name: "share", port: number }) },
    { label: "Copy link", icon: <CopyIcon />, hint: "c", run: () => void copyLink(port) },
    { label: "Access log", icon: <ListIcon />, hint: "l", run: () => open({ name: "log", port: number }) },
    ...(port.share.mode !== "private"
      ? [{ label: "Stop sharing", icon: <StopIcon />, run: () => void unshare(port) }]
      : []),
  ];
}
