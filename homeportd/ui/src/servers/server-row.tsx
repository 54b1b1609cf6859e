import type { Server } from "../api/types";
import { copyText } from "../browser/clipboard";
import { notify } from "../browser/notices";
import { CopyIcon, GearIcon, ListIcon, OpenIcon, PlayIcon, RefreshIcon, StopIcon } from "../components/icons";
import { Menu, type MenuItem } from "../components/menu";
import { StatusDot } from "../components/status-dot";
import { describeServer, isAlive, policyText } from "../model/servers";
import { navigate, routeHash } from "../state/route";
import { restart, start, stop } from "../state/servers";

/** The row of a server: state, name, command, last lines where it failed; the likely action and the menu. */
export function ServerRow({ server }: { server: Server }) {
  const failed = server.state === "failed";
  const policy = policyText(server);
  const output = { name: "output", id: server.id } as const;
  return (
    <li
      data-server={server.id}
      data-row={`server ${server.id}`}
      class="appear grid grid-cols-[0.625rem_minmax(0,1fr)_auto_auto] items-center gap-x-2.5 px-4 py-1 max-sm:pr-2 sm:gap-x-3 focus-within:bg-accent-wash hover:bg-hover focus-within:hover:bg-accent-wash"
    >
      <StatusDot tone={failed ? "error" : "private"} filled={failed || isAlive(server)} />
      <a
        data-row-link
        href={routeHash(server.by_hand && server.repo ? { name: "repo", id: server.repo } : output)}
        class="block min-w-0 py-1"
      >
        <span class="font-semibold">{server.name}</span>{" "}
        <span class={failed ? "text-danger" : "text-soft"}>{describeServer(server)}</span>
        <span
          class={`block text-small text-soft [overflow-wrap:anywhere] ${server.by_hand ? "" : "font-mono"}`}
        >
          {server.by_hand ? "started by hand, left alone" : (server.command ?? "no start command was found")}
        </span>
        {policy && <span class="block text-small text-soft">{policy}</span>}
        {server.missing && !isAlive(server) && (
          <span class="block text-small text-password">{server.missing}</span>
        )}
      </a>
      <MainAction server={server} />
      {server.by_hand ? (
        <span />
      ) : (
        <Menu row={`server ${server.id}`} label={`More for ${server.name}`} items={serverMenu(server)} />
      )}
      {failed && server.last_lines.length > 0 && (
        <pre class="col-span-3 col-start-2 mb-1.5 max-h-40 overflow-hidden rounded-box bg-danger-wash p-2 font-mono text-small whitespace-pre-wrap [overflow-wrap:anywhere]">
          {server.last_lines.slice(-6).join("\n")}
        </pre>
      )}
    </li>
  );
}

/** Stop for what runs; else start, after an installation where something is missing, or the choice of a command. */
function MainAction({ server }: { server: Server }) {
  if (server.by_hand) return <span />;
  if (isAlive(server)) {
    return (
      <button
        type="button"
        class="button-quiet"
        disabled={server.state === "stopping"}
        aria-label={`Stop ${server.name}`}
        onClick={() => void stop(server)}
      >
        Stop
      </button>
    );
  }
  if (server.command === null) {
    return (
      <button
        type="button"
        class="button-quiet"
        onClick={() => navigate({ name: "server", id: server.id })}
        aria-label={`Set the command of ${server.name}`}
      >
        Set command
      </button>
    );
  }
  return (
    <button
      type="button"
      class="button-plain max-sm:whitespace-normal"
      aria-label={server.missing ? `Install and start ${server.name}` : `Start ${server.name}`}
      onClick={() => void start(server, server.missing !== null)}
    >
      {server.missing ? "Install and start" : "Start"}
    </button>
  );
}

/** The actions on a server that the agent looks after. */
export function serverMenu(server: Server): MenuItem[] {
  const { url } = server;
  return [
    ...(server.state === "listening" && url
      ? [{ label: "Open", icon: <OpenIcon />, run: () => void window.open(url, "_blank", "noopener") }]
      : []),
    ...(isAlive(server)
      ? [
          { label: "Restart", icon: <RefreshIcon />, run: () => void restart(server) },
          { label: "Stop", icon: <StopIcon />, run: () => void stop(server) },
        ]
      : server.missing && server.command
        ? [{ label: "Start without installing", icon: <PlayIcon />, run: () => void start(server) }]
        : []),
    { label: "Output", icon: <ListIcon />, run: () => navigate({ name: "output", id: server.id }) },
    ...(url
      ? [
          {
            label: "Copy address",
            icon: <CopyIcon />,
            run: () =>
              void copyText(url).then((done) =>
                notify(done ? `Address of ${server.name} copied.` : `Copy this: ${url}`),
              ),
          },
        ]
      : []),
    {
      label: "Command and settings …",
      icon: <GearIcon />,
      run: () => navigate({ name: "server", id: server.id }),
    },
  ];
}
