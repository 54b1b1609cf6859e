import { useLayoutEffect, useRef } from "preact/hooks";
import type { Port } from "../api/types";
import { CopyIcon, ListIcon, OpenIcon, ShareIcon, StopIcon } from "../components/icons";
import { Menu, type MenuItem } from "../components/menu";
import { StatusDot, TONE_TEXT } from "../components/status-dot";
import {
  describeBinding,
  describeOther,
  describePort,
  effectiveMode,
  hasExpired,
  isPaused,
  MODE_LABELS,
  otherPrograms,
} from "../model/port-text";
import { serverOfPort } from "../model/servers";
import { formatExpiry } from "../model/time-format";
import { serverMenu } from "../servers/server-row";
import { now } from "../state/clock";
import { copyLink, openPort, resume, unshare } from "../state/port-actions";
import { navigate, routeHash } from "../state/route";
import { servers } from "../state/servers";

/** The row of a port: state, number, server, who may see it, until when; then the likely action and the menu. */
export function PortRow({ port }: { port: Port }) {
  const share = { name: "share", port: port.port } as const;
  const ref = useFocusKept(`port ${port.port}`);
  const isAnonymous = port.pid === null && port.repo === null && port.listening;
  return (
    <li
      ref={ref}
      data-port={port.port}
      data-row={`port ${port.port}`}
      class="appear grid grid-cols-[0.625rem_minmax(0,1fr)_auto_auto] items-center gap-x-2.5 px-4 py-1 max-sm:pr-2 sm:gap-x-3 focus-within:bg-accent-wash hover:bg-hover focus-within:hover:bg-accent-wash sm:grid-cols-[0.625rem_minmax(0,1fr)_16rem_5rem_auto] sm:py-0.5 lg:grid-cols-[0.625rem_minmax(0,1fr)_21rem_5rem_auto]"
    >
      <StatusDot tone={isPaused(port) ? "password" : effectiveMode(port)} filled={port.listening} />
      <a
        data-row-link
        href={port.listening ? port.url : routeHash(share)}
        {...(port.listening
          ? { target: "_blank", rel: "noopener" }
          : { onClick: inPage(() => navigate(share)) })}
        class="flex min-w-0 gap-x-3 py-1 max-sm:col-span-3"
        title={port.command ?? undefined}
      >
        <span class={`min-w-[5ch] font-mono ${isAnonymous ? "" : "font-semibold"}`}>{port.port}</span>
        <span class={`min-w-0 [overflow-wrap:anywhere] ${isAnonymous || !port.listening ? "text-soft" : ""}`}>
          {describePort(port)}
          {otherPrograms(port).map((each) => (
            <small key={describeOther(each)} class="block text-small text-soft" data-other>
              not led to: {describeOther(each)}
            </small>
          ))}
        </span>
      </a>
      <p class="min-w-0 [overflow-wrap:anywhere] max-sm:col-start-2 max-sm:self-start max-sm:text-small">
        <Audience port={port} />
      </p>
      {isPaused(port) ? (
        <button
          type="button"
          class="button-quiet"
          onClick={() => void resume(port)}
          aria-label={`Resume the share of ${port.port}`}
        >
          Resume
        </button>
      ) : port.listening ? (
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
          onClick={inPage(() => navigate(share))}
          aria-label={`Share ${port.port}`}
        >
          Share
        </a>
      )}
      <Menu row={`port ${port.port}`} label={`More for ${port.port}`} items={menuItems(port)} />
    </li>
  );
}

/** Keeps the focus in a row that moves to another group: the row is mounted anew there. */
function useFocusKept(row: string) {
  const ref = useRef<HTMLLIElement>(null);
  useLayoutEffect(() => {
    const targetsOf = (row: Element | null) => [...(row?.querySelectorAll<HTMLElement>("a, button") ?? [])];
    const element = ref.current;
    return () => {
      const at = targetsOf(element).indexOf(document.activeElement as HTMLElement);
      if (at < 0) return;
      // Once the page is drawn, the row is in its new group, or gone.
      queueMicrotask(() => {
        if (document.activeElement !== document.body) return;
        const here = document.querySelector(`[data-row="${CSS.escape(row)}"]`);
        targetsOf(here)[at]?.focus({ preventScroll: true });
      });
    };
  }, [row]);
  return ref;
}

/** For a real link, which the middle button and the status bar want: a plain click runs `run` instead. */
const inPage = (run: () => void) => (event: MouseEvent) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  run();
};

/** Who may see a port, until when, and further restrictions. */
function Audience({ port }: { port: Port }) {
  const { allow, expires_at, max_uses, uses } = port.share;
  const mode = effectiveMode(port);
  const details =
    mode === "private"
      ? ["only you", ...(hasExpired(port) ? [`share ${formatExpiry(expires_at, now.value)}`] : [])]
      : [
          formatExpiry(expires_at, now.value),
          ...(allow.length > 0
            ? [allow.length === 1 ? `from ${allow[0]}` : `from ${allow.length} networks`]
            : []),
          ...(max_uses === null ? [] : [`${uses} of ${max_uses} uses`]),
        ];
  const text = details.join(" · ");
  if (isPaused(port)) {
    return (
      <span title={port.share.paused ?? undefined}>
        <span class={`font-semibold ${TONE_TEXT.password}`}>Paused</span>{" "}
        <span class="text-soft">{`· shared for ${describeBinding(port)}`}</span>
      </span>
    );
  }
  return (
    <>
      <span class={mode === "private" ? TONE_TEXT[mode] : `font-semibold ${TONE_TEXT[mode]}`}>
        {MODE_LABELS[mode]}
      </span>{" "}
      <span class="text-soft">{text.startsWith("until") ? text : `· ${text}`}</span>
    </>
  );
}

function menuItems(port: Port): MenuItem[] {
  const number = port.port;
  return [
    ...(port.listening ? [{ label: "Open", icon: <OpenIcon />, hint: "↵", run: () => openPort(port) }] : []),
    {
      label: "Share …",
      icon: <ShareIcon />,
      hint: "s",
      run: () => navigate({ name: "share", port: number }),
    },
    { label: "Copy link", icon: <CopyIcon />, hint: "c", run: () => void copyLink(port) },
    {
      label: "Access log",
      icon: <ListIcon />,
      hint: "l",
      run: () => navigate({ name: "log", port: number }),
    },
    ...serverItems(port),
    ...(isPaused(port) ? [{ label: "Resume share", icon: <ShareIcon />, run: () => void resume(port) }] : []),
    ...(port.share.mode !== "private"
      ? [{ label: "Stop sharing", icon: <StopIcon />, run: () => void unshare(port) }]
      : []),
  ];
}

/** Actions on the server that listens on the port, where Homeport has started it. */
function serverItems(port: Port): MenuItem[] {
  const server = serverOfPort(servers.value, port.port);
  if (server === undefined || server.by_hand) return [];
  return serverMenu(server).filter(({ label }) => label !== "Open" && label !== "Copy address");
}
