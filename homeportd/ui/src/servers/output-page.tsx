import { useEffect, useState } from "preact/hooks";
import type { OutputLine } from "../api/types";
import { BackLink } from "../components/back-link";
import { Menu } from "../components/menu";
import { StatusDot } from "../components/status-dot";
import { appendLines } from "../model/output-log";
import { describeServer, isAlive } from "../model/servers";
import { followOutput } from "../net/output-stream";
import { start as readAgain } from "../state/agent";
import { HOME, routeHash } from "../state/route";
import { restart, servers, start, stop } from "../state/servers";
import { LogView } from "./log-view";
import { serverMenu } from "./server-row";

/** The page of what a server prints, as it prints it. */
export function OutputPage({ id }: { id: string }) {
  const [lines, setLines] = useState<readonly OutputLine[]>([]);
  const [connected, setConnected] = useState<boolean | null>(null);
  const [gone, setGone] = useState(false);
  const server = servers.value.get(id);
  useEffect(
    () =>
      followOutput(id, {
        lines: (more) => setLines((kept) => appendLines(kept, more)),
        connected: setConnected,
        refused: (status) => (status === 401 ? void readAgain() : setGone(true)),
      }),
    [id],
  );
  const repo = server?.repo ?? null;
  return (
    <>
      <BackLink
        href={routeHash(repo === null ? HOME : { name: "repo", id: repo })}
        label={repo ?? "All repos"}
      />
      <div class="mt-1 mb-3 flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 class="min-w-0 text-title font-semibold [overflow-wrap:anywhere]">{server?.name ?? "Output"}</h2>
        {server && (
          <>
            <p class="flex min-w-0 flex-1 items-center gap-2">
              <StatusDot
                tone={server.state === "failed" ? "error" : "private"}
                filled={server.state === "failed" || isAlive(server)}
              />
              <span class={server.state === "failed" ? "text-danger" : "text-soft"}>
                {describeServer(server)}
              </span>
            </p>
            {isAlive(server) ? (
              <>
                <button type="button" class="button-plain" onClick={() => void restart(server)}>
                  Restart
                </button>
                <button type="button" class="button-plain" onClick={() => void stop(server)}>
                  Stop
                </button>
              </>
            ) : (
              server.command !== null && (
                <button
                  type="button"
                  class="button-main"
                  onClick={() => void start(server, server.missing !== null)}
                >
                  {server.missing ? "Install and start" : "Start"}
                </button>
              )
            )}
            <Menu row={`output ${id}`} label={`More for ${server.name}`} items={serverMenu(server)} />
          </>
        )}
      </div>
      {gone ? (
        <p class="text-soft">There is no such server any more.</p>
      ) : (
        <>
          <LogView lines={lines} label={`Output of ${server?.name ?? id}`} />
          <p class="mt-1.5 text-small text-soft">
            {connected === false
              ? "Connection lost. New lines come when it is back."
              : lines.length === 0
                ? "Nothing was printed yet."
                : `${lines.length} lines, the newest last`}
          </p>
        </>
      )}
    </>
  );
}
