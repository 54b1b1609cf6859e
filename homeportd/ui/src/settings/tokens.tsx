import { useEffect, useState } from "preact/hooks";
import type { Token } from "../model/types";
import { agoWords, untilWords } from "../model/when";
import { createToken, getTokens, Problem, revokeToken } from "../net/client";
import { Command } from "../parts/command";
import { ProblemBox } from "../parts/problem-box";
import { notify } from "../state/notice";
import { fail, now } from "../state/store";

/** Tokens for scripts: made here, shown once, revoked here. */
export function Tokens() {
  const [tokens, setTokens] = useState<Token[] | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);

  const attempt = async (work: () => Promise<void>) => {
    setProblem(null);
    try {
      await work();
      setTokens(await getTokens());
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401) fail(error);
      else setProblem(error);
    }
  };
  useEffect(() => void attempt(async () => {}), []);

  const create = (event: Event) => {
    event.preventDefault();
    void attempt(async () => {
      setSecret((await createToken(name.trim())).token);
      setName("");
    });
  };
  const revoke = (token: Token) =>
    void attempt(async () => {
      await revokeToken(token.id);
      notify(`Token “${token.name}” no longer works.`);
    });

  return (
    <section aria-labelledby="tokens">
      <h3 id="tokens" class="font-semibold">
        API tokens
      </h3>
      <p class="mt-1 mb-3 text-soft">
        For scripts on other machines. A token made here can do all that you can.
      </p>
      {tokens?.map((token) => (
        <div key={token.id} class="flex items-center gap-3 border-t border-line py-1">
          <p class="min-w-0 flex-1 [overflow-wrap:anywhere]">
            {token.name} <span class="font-mono text-small text-soft">{token.prefix}…</span>{" "}
            <span class="block text-small text-soft">
              made {agoWords(token.created_at, now.value)},{" "}
              {token.last_used_at ? `used ${agoWords(token.last_used_at, now.value)}` : "never used"}
              {token.scope === "tunnel" && ", for tunnels alone"}
              {token.expires_at && `, ${untilWords(token.expires_at, now.value)}`}
            </span>
          </p>
          <button
            type="button"
            class="button-quiet"
            aria-label={`Revoke ${token.name}`}
            onClick={() => revoke(token)}
          >
            Revoke
          </button>
        </div>
      ))}
      {tokens === null && !problem && <p class="text-soft">Fetching the tokens …</p>}
      {secret && (
        <div class="my-3" data-secret>
          <p class="mb-1.5">Copy it now. It is not shown again.</p>
          <Command text={secret} />
        </div>
      )}
      <form class="mt-3 flex gap-2" onSubmit={create}>
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
      </form>
      {problem && (
        <div class="mt-3">
          <ProblemBox problem={problem} />
        </div>
      )}
    </section>
  );
}
