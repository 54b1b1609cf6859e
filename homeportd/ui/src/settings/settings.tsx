import { useState } from "preact/hooks";
import { logOut, Problem, setPassword } from "../net/client";
import { Command } from "../parts/command";
import { Dialog } from "../parts/dialog";
import { PasswordField } from "../parts/password-field";
import { ProblemBox } from "../parts/problem-box";
import { attempt } from "../state/attempt";
import { notify } from "../state/notice";
import { close } from "../state/route";
import { session, start, status } from "../state/store";
import { Tokens } from "./tokens";

const SHORTEST = 8;

export function Settings() {
  return (
    <Dialog
      title="Settings"
      about={`Homeport ${status.value?.version ?? ""} on ${status.value?.hostname ?? ""}`}
      onClose={close}
    >
      <div class="space-y-8">
        <Tokens />
        <DashboardPassword />
        <ServedUser />
        <section aria-labelledby="session">
          <h3 id="session" class="font-semibold">
            This browser
          </h3>
          <p class="mt-1 mb-3 text-soft">Logged in until you log out here. Shared links go on working.</p>
          <button type="button" class="button-plain" onClick={() => void leave()}>
            Log out
          </button>
        </section>
      </div>
    </Dialog>
  );
}

function ServedUser() {
  const { user = "", user_choice: choice } = status.value ?? {};
  if (!choice) return null;
  return (
    <section aria-labelledby="served-user">
      <h3 id="served-user" class="font-semibold">
        Account
      </h3>
      <p class="mt-1 mb-3 text-soft">
        The agent serves <span class="font-mono text-small">{user}</span>: {choice.sentence}.
        {choice.change && " For another account, run this in the checkout:"}
      </p>
      {choice.change && <Command text={choice.change} />}
    </section>
  );
}

function DashboardPassword() {
  const [password, setValue] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const isSet = session.value?.has_password ?? false;
  const short = password !== "" && password.length < SHORTEST;
  const save = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    await attempt(async () => {
      await setPassword(password);
      setValue("");
      if (session.value) session.value = { ...session.value, has_password: true };
      notify("The dashboard's password is set. Other browsers were logged out.");
    }, setProblem);
    setBusy(false);
  };
  return (
    <section aria-labelledby="dashboard-password">
      <h3 id="dashboard-password" class="font-semibold">
        Dashboard password
      </h3>
      <p class="mt-1 mb-3 text-soft">
        {isSet
          ? "One is set. A new one takes its place."
          : "None is set: a link from the terminal is the only way in."}
      </p>
      <form class="space-y-3" onSubmit={save}>
        <PasswordField
          label="New password"
          value={password}
          onInput={setValue}
          autocomplete="new-password"
          help={`At least ${SHORTEST} characters.`}
          problem={short ? `${password.length} of at least ${SHORTEST} characters.` : undefined}
        />
        {problem && <ProblemBox problem={problem} />}
        <button type="submit" class="button-plain" disabled={busy || password.length < SHORTEST}>
          {busy ? "Saving …" : "Set password"}
        </button>
      </form>
    </section>
  );
}

async function leave(): Promise<void> {
  try {
    await logOut();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    notify(`${error.title}. ${error.fix}`);
    return;
  }
  close();
  await start();
}
