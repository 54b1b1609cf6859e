import { useEffect, useState } from "preact/hooks";
import type { Token } from "../api/types";
import { notify } from "../browser/notices";
import { Chips } from "../components/chips";
import { Command } from "../components/command";
import { type Confirmation, ConfirmDialog } from "../components/confirm-dialog";
import { ProblemBox } from "../components/problem-box";
import { formatAge, formatExpiry } from "../model/time-format";
import { edgeAddress } from "../model/tunnels";
import { createToken, getTokens, revokeToken, rotateToken } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { readOrder } from "../net/read-order";
import { now } from "../state/clock";
import { status } from "../state/machine";
import { SettingsSection } from "./settings-section";

const GRACE_PERIODS = [
  { value: "0", label: "At once" },
  { value: "600", label: "10 min" },
  { value: "3600", label: "1 h" },
  { value: "86400", label: "24 h" },
] as const;
const SCOPES = [
  { value: "tunnel", label: "Tunnels of this edge" },
  { value: "owner", label: "All that you can do" },
] as const;

/** The list of tokens, and a form for a new one. The secret of a token is shown once. */
export function Tokens() {
  const edge = status.value?.edge ?? null;
  const [reads] = useState(readOrder);
  const [tokens, setTokens] = useState<Token[] | null>(null);
  const [made, setMade] = useState<{ secret: string; scope: Token["scope"] } | null>(null);
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Token["scope"]>(edge ? "tunnel" : "owner");
  const [rotating, setRotating] = useState<Token["id"] | null>(null);
  const [confirmation, setConfirmation] = useState<Confirmation | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  const run = async (work: () => Promise<void>) => {
    setProblem(null);
    await attempt(async () => {
      await work();
      const isNewest = reads.begin();
      const all = await getTokens();
      if (isNewest()) setTokens(all);
    }, setProblem);
  };
  useEffect(() => void run(async () => {}), []);

  const create = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      setMade({ secret: (await createToken(name.trim(), scope)).token, scope });
      setName("");
    });
  };
  const rotate = (token: Token, grace: number) =>
    void run(async () => {
      setMade({ secret: (await rotateToken(token.id, grace)).token, scope: token.scope });
      setRotating(null);
    });
  const confirmRevoke = (token: Token) =>
    setConfirmation({
      title: `Revoke ${token.name}?`,
      text: revokedText(token),
      confirmLabel: `Revoke ${token.name}`,
      run: async () => {
        await revokeToken(token.id);
        notify(`Token “${token.name}” no longer works.`);
        reads.supersede();
        setTokens((before) => before?.filter((each) => each.id !== token.id) ?? null);
      },
    });

  return (
    <SettingsSection
      id="tokens"
      title="Tokens"
      about={
        edge
          ? "For the machines that open tunnels here, and for scripts."
          : "For scripts on other machines. A token made here can do all that you can."
      }
    >
      {tokens?.map((token) => (
        <div key={token.id} class="border-t border-line py-1" data-token={token.id}>
          <div class="flex flex-wrap items-center gap-x-3">
            <p class="min-w-0 flex-1 basis-44 [overflow-wrap:anywhere]">
              {token.name} <span class="font-mono text-small text-soft">{token.prefix}…</span>{" "}
              <span class="block text-small text-soft">
                made {formatAge(token.created_at, now.value)},{" "}
                {token.last_used_at ? `used ${formatAge(token.last_used_at, now.value)}` : "never used"}
                {token.scope === "tunnel" && ", for tunnels alone"}
                {token.expires_at && `, replaced, ${formatExpiry(token.expires_at, now.value)}`}
              </span>
            </p>
            <div class="flex max-sm:-ml-3">
              {token.expires_at === null && (
                <button
                  type="button"
                  class="button-quiet"
                  aria-label={`Replace ${token.name}`}
                  aria-expanded={rotating === token.id}
                  onClick={() => setRotating(rotating === token.id ? null : token.id)}
                >
                  Replace
                </button>
              )}
              <button
                type="button"
                class="button-quiet"
                aria-label={`Revoke ${token.name}`}
                onClick={() => confirmRevoke(token)}
              >
                Revoke
              </button>
            </div>
          </div>
          {rotating === token.id && (
            <Rotation
              token={token}
              onCancel={() => setRotating(null)}
              onRotate={(grace) => rotate(token, grace)}
            />
          )}
        </div>
      ))}
      {tokens === null && !problem && <p class="text-soft">Fetching the tokens …</p>}
      {made && (
        <div class="my-3 space-y-3" data-secret>
          <div>
            <p class="mb-1.5">Copy it now. It is not shown again.</p>
            <Command text={made.secret} />
          </div>
          {made.scope === "tunnel" && edge && (
            <div>
              <p class="mb-1.5">Then, on the machine it is for, paste it when this asks:</p>
              <Command text={`homeport init --edge ${edgeAddress(edge.url)}`} />
            </div>
          )}
        </div>
      )}
      <form class="mt-4 space-y-3 border-t border-line pt-4" onSubmit={create}>
        {edge && <Chips legend="A new token may" chips={SCOPES} value={scope} onChange={setScope} />}
        <div class="flex gap-2">
          <input
            class="field min-w-0 flex-1"
            aria-label="Name of the new token"
            placeholder="What is it for?"
            maxLength={64}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <button type="submit" class="button-plain" disabled={name.trim() === ""}>
            Create
          </button>
        </div>
      </form>
      {problem && (
        <div class="mt-3">
          <ProblemBox problem={problem} />
        </div>
      )}
      {confirmation && <ConfirmDialog confirmation={confirmation} onClose={() => setConfirmation(null)} />}
    </SettingsSection>
  );
}

function revokedText({ scope, expires_at }: Token): string {
  if (scope !== "tunnel") return "Whoever uses it is refused from now on.";
  if (expires_at) return "Clients that have the new one stay. Others are cut off now.";
  return "Clients that use it are cut off now, with whoever is connected through them. What it reserved stays, for the first token that uses it.";
}

interface RotationProps {
  token: Token;
  onCancel: () => void;
  onRotate: (grace: number) => void;
}

/** Replaces a token: the choice of how long the old one stays valid. */
function Rotation({ token, onCancel, onRotate }: RotationProps) {
  const [grace, setGrace] = useState<(typeof GRACE_PERIODS)[number]["value"]>("3600");
  return (
    <div class="appear mt-1 mb-2 space-y-3 rounded-box bg-ground p-3">
      <Chips legend="The old one ends after" chips={GRACE_PERIODS} value={grace} onChange={setGrace} />
      <p class="text-small text-soft">
        {token.scope === "tunnel"
          ? "Clients that are connected get the new one by themselves, a thief's too: revoke a token that was stolen. Others get it when they return in that time."
          : "Put the new one where the old one is used, in that time."}
      </p>
      <div class="flex gap-2">
        <button
          type="button"
          class="button-main min-w-0 py-1.5 whitespace-normal [overflow-wrap:anywhere]"
          onClick={() => onRotate(Number(grace))}
        >
          Replace {token.name}
        </button>
        <button type="button" class="button-plain" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </div>
  );
}
