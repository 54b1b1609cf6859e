import { useState } from "preact/hooks";
import { Command } from "../components/command";
import { PasswordField } from "../components/password-field";
import { ProblemBox } from "../components/problem-box";
import { sameOriginPath } from "../model/login-redirect";
import { logIn } from "../net/agent-api";
import { Problem } from "../net/problem";
import { start } from "../state/agent";

/** The login page: by a link from the terminal, or by the dashboard's password. */
export function Login() {
  return (
    <main class="mx-auto max-w-md p-4 pt-[10dvh]">
      <div class="flex items-center gap-3">
        <img src="/favicon.svg" alt="" class="size-9" />
        <div>
          <h1 class="text-title font-semibold">Homeport</h1>
          <p class="text-small text-soft">{location.host}</p>
        </div>
      </div>
      {new URLSearchParams(location.search).get("login") === "expired" && (
        <p role="alert" class="mt-6 rounded-box border border-line bg-hover px-3 py-2.5">
          That link was used before or is too old. Make a new one:
        </p>
      )}
      <section class="mt-8" aria-labelledby="by-link">
        <h2 id="by-link" class="font-semibold">
          Log in with a link
        </h2>
        <p class="mt-1 mb-3 text-soft">
          Run this in a terminal on the machine and open the link that it prints. It works once, for 10
          minutes.
        </p>
        <Command text="homeport login-link" />
      </section>
      <section class="mt-8" aria-labelledby="by-password">
        <h2 id="by-password" class="font-semibold">
          Or with the password
        </h2>
        <PasswordLogin />
      </section>
    </main>
  );
}

function PasswordLogin() {
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await logIn(password);
      await enter();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <form class="mt-1 space-y-3" onSubmit={submit}>
      <p class="text-soft">
        Set one with <code class="font-mono text-small">homeport password</code> or, once logged in, in the
        settings.
      </p>
      <PasswordField
        label="Dashboard password"
        value={password}
        onInput={setPassword}
        autocomplete="current-password"
      />
      {problem && <ProblemBox problem={problem} />}
      <button type="submit" class="button-main w-full" disabled={busy || password === ""}>
        {busy ? "Checking …" : "Log in"}
      </button>
    </form>
  );
}

/** Opens the address that led to the login, else the dashboard. */
async function enter(): Promise<void> {
  const next = sameOriginPath(new URLSearchParams(location.search).get("next"));
  if (next !== "/") {
    location.assign(next);
    return;
  }
  history.replaceState(null, "", `/${location.hash}`);
  await start();
}
