import { useState } from "preact/hooks";
import { byKind, edgeAddress, holderWords, labelOf, rateWords, tunnelText } from "../model/tunnels";
import type { Tunnel } from "../model/types";
import { Command } from "../parts/command";
import { CopyIcon, ListIcon, OpenIcon, PencilIcon, StopIcon } from "../parts/icons";
import type { MenuItem } from "../parts/menu";
import { NoMatch } from "../parts/no-match";
import { open } from "../state/route";
import { filter, status } from "../state/store";
import { askToKill, copyAddress, editRules, visit } from "./actions";
import { Audience, BLOCKS, Block, Lesson, PlaceRow, toneOf } from "./parts";
import { second, shownTunnels } from "./state";

/** More rows than this nobody reads; the filter finds the rest. */
const SHOWN = 200;

export function Tunnels() {
  const [all, setAll] = useState(false);
  const blocks = byKind(shownTunnels.value.values(), filter.value, tunnelText);
  if (shownTunnels.value.size === 0) return <NoTunnels />;
  if (blocks.length === 0) return <NoMatch what="tunnel" />;
  const count = blocks.reduce((sum, block) => sum + block.places.length, 0);
  let left = all ? count : SHOWN;
  return (
    <div class="space-y-4">
      {blocks.map(({ kind, places }) => {
        const shown = places.slice(0, Math.max(0, left));
        left -= shown.length;
        return (
          shown.length > 0 && (
            <Block key={kind} title={BLOCKS[kind]}>
              {shown.map((tunnel) => (
                <TunnelRow key={tunnel.id} tunnel={tunnel} />
              ))}
            </Block>
          )
        );
      })}
      {!all && count > SHOWN && (
        <p class="flex flex-wrap items-center gap-x-3 text-soft">
          {count - SHOWN} more are not shown; the filter finds them.
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
    <PlaceRow
      id={`tunnel ${tunnel.id}`}
      place={tunnel}
      to={to}
      tone={toneOf(tunnel)}
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
          <button type="button" class="button-quiet" aria-label={`Log of ${label}`} onClick={() => open(to)}>
            Log
          </button>
        )
      }
    >
      <Audience of={tunnel} live={live} />
      <p class="text-small text-soft [overflow-wrap:anywhere]" data-holder>
        {holderWords(tunnel, second.value)}
      </p>
      {live && (
        <p class="text-small text-soft" data-rates>
          {rateWords(tunnel)}
        </p>
      )}
    </PlaceRow>
  );
}

function menuItems(tunnel: Tunnel): MenuItem[] {
  return [
    {
      label: "Chart and log",
      icon: <ListIcon />,
      hint: "l",
      run: () => open({ name: "tunnel", id: tunnel.id }),
    },
    ...(tunnel.kind === "http" ? [{ label: "Open", icon: <OpenIcon />, run: () => visit(tunnel) }] : []),
    { label: "Copy address", icon: <CopyIcon />, hint: "c", run: () => void copyAddress(tunnel) },
    {
      label: tunnel.reserved ? "Who may …" : "Reserve it …",
      icon: <PencilIcon />,
      hint: "e",
      run: () => editRules(tunnel),
    },
    ...(tunnel.state === "live"
      ? [{ label: "Kill …", icon: <StopIcon />, run: () => askToKill(tunnel) }]
      : []),
  ];
}

function NoTunnels() {
  const url = edgeAddress(status.value?.edge?.url ?? "");
  return (
    <Lesson
      title="No tunnel yet"
      about="A tunnel gives a port of any machine a public address on this edge. It appears here by itself once a client opens it."
    >
      <div>
        <p class="mb-1.5">
          Make a token for the machine that has the server, on the page{" "}
          <a class="text-accent underline" href="#/tokens">
            Tokens
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
    </Lesson>
  );
}
