import { useState } from "preact/hooks";
import type { Tunnel } from "../api/types";
import { Command } from "../components/command";
import { EmptyPage } from "../components/empty-page";
import { CopyIcon, ListIcon, OpenIcon, PencilIcon, StopIcon } from "../components/icons";
import type { MenuItem } from "../components/menu";
import { NoMatch } from "../components/no-match";
import {
  describeActivity,
  describeRates,
  edgeAddress,
  groupByKind,
  labelOf,
  tunnelSearchText,
} from "../model/tunnels";
import { filter } from "../state/filter";
import { status } from "../state/machine";
import { navigate } from "../state/route";
import { confirmKill, copyAddress, editRules, openAddress } from "./edge-actions";
import { secondsClock, shownTunnels } from "./edge-state";
import { Audience, audienceTone, EndpointRow, KIND_HEADINGS, RowGroup } from "./endpoint-row";

/** More rows than these nobody reads; the filter finds the others. */
const MAX_SHOWN = 200;

export function TunnelsPage() {
  const [all, setAll] = useState(false);
  const groups = groupByKind(shownTunnels.value.values(), filter.value, tunnelSearchText);
  if (shownTunnels.value.size === 0) return <NoTunnels />;
  if (groups.length === 0) return <NoMatch what="tunnel" filter={filter} />;
  const count = groups.reduce((sum, group) => sum + group.endpoints.length, 0);
  let left = all ? count : MAX_SHOWN;
  return (
    <div class="space-y-4">
      {groups.map(({ kind, endpoints }) => {
        const shown = endpoints.slice(0, Math.max(0, left));
        left -= shown.length;
        return (
          shown.length > 0 && (
            <RowGroup key={kind} title={KIND_HEADINGS[kind]}>
              {shown.map((tunnel) => (
                <TunnelRow key={tunnel.id} tunnel={tunnel} />
              ))}
            </RowGroup>
          )
        );
      })}
      {!all && count > MAX_SHOWN && (
        <p class="flex flex-wrap items-center gap-x-3 text-soft">
          {count - MAX_SHOWN} more are not shown; the filter finds them.
          <button type="button" class="button-quiet" onClick={() => setAll(true)}>
            Show all {count}
          </button>
        </p>
      )}
    </div>
  );
}

function TunnelRow({ tunnel }: { tunnel: Tunnel }) {
  const label = labelOf(tunnel);
  const live = tunnel.state === "live";
  const to = { name: "tunnel", id: tunnel.id } as const;
  return (
    <EndpointRow
      id={`tunnel ${tunnel.id}`}
      endpoint={tunnel}
      to={to}
      tone={audienceTone(tunnel)}
      live={live}
      menu={menuItems(tunnel)}
      action={
        live && tunnel.kind === "http" ? (
          <a
            class="button-quiet"
            href={tunnel.address}
            target="_blank"
            rel="noopener"
            aria-label={`Open ${label}`}
          >
            Open
          </a>
        ) : (
          <button
            type="button"
            class="button-quiet"
            aria-label={`Log of ${label}`}
            onClick={() => navigate(to)}
          >
            Log
          </button>
        )
      }
    >
      <Audience of={tunnel} live={live} />
      <p class="text-small text-soft [overflow-wrap:anywhere]" data-activity>
        {describeActivity(tunnel, secondsClock.value)}
      </p>
      {live && (
        <p class="text-small text-soft" data-rates>
          {describeRates(tunnel)}
        </p>
      )}
    </EndpointRow>
  );
}

function menuItems(tunnel: Tunnel): MenuItem[] {
  return [
    {
      label: "Chart and log",
      icon: <ListIcon />,
      hint: "l",
      run: () => navigate({ name: "tunnel", id: tunnel.id }),
    },
    ...(tunnel.kind === "http"
      ? [{ label: "Open", icon: <OpenIcon />, run: () => openAddress(tunnel) }]
      : []),
    { label: "Copy address", icon: <CopyIcon />, hint: "c", run: () => void copyAddress(tunnel) },
    {
      label: tunnel.reserved ? "Who may …" : "Reserve it …",
      icon: <PencilIcon />,
      hint: "e",
      run: () => editRules(tunnel),
    },
    ...(tunnel.state === "live"
      ? [{ label: "Kill …", icon: <StopIcon />, run: () => confirmKill(tunnel) }]
      : []),
  ];
}

function NoTunnels() {
  const url = edgeAddress(status.value?.edge?.url ?? "");
  return (
    <EmptyPage
      title="No tunnel yet"
      about="A tunnel gives a port of any machine a public address on this edge. It appears here by itself once a client opens it."
    >
      <div>
        <p class="mb-1.5">
          Make a token for the machine that has the server, in the{" "}
          <a class="text-accent underline" href="#/settings/tokens">
            settings
          </a>{" "}
          or in a terminal of this edge:
        </p>
        <Command text="homeport token create laptop --scope tunnel" />
      </div>
      <div>
        <p class="mb-1.5">On that machine, tell it this edge and paste the token when asked:</p>
        <Command text={`homeport init --edge ${url}`} />
      </div>
      <div>
        <p class="mb-1.5">Then open a tunnel to whatever listens on its port 3000:</p>
        <Command text="homeport http 3000 --domain myapp" />
      </div>
    </EmptyPage>
  );
}
