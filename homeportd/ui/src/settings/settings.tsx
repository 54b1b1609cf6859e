import { useState } from "preact/hooks";
import { notify } from "../browser/notices";
import { Command } from "../components/command";
import { Dialog } from "../components/dialog";
import { PasswordField } from "../components/password-field";
import { ProblemBox } from "../components/problem-box";
import { logOut, setPassword } from "../net/agent-api";
import { attempt } from "../net/attempt";
import { Problem } from "../net/problem";
import { caller, start } from "../state/agent";
import { status } from "../state/machine";
import { closeSheet } from "../state/route";
import { Tokens } from "./tokens";

const MIN_PASSWORD_LENGTH = 8;

export function Settings() {
  return (
    <Dialog
      title="Settings"
      about={`Homeport ${status.value?.version ?? ""} on ${status.value?.hostname ?? ""}`}
      onClose={closeSheet}
    >
      <div class="space-y-8">
        <Tokens />
        <DashboardPassword />
        <ServedUser />
        <section aria-labelledby="this-browser">
          <h3 id="this-browser" class="font-semibold">
            This browser
          </h3>
          <p class="mt-1 mb-3 text-soft">Logged in until you log out here. Shared links go on working.</p>
          <button type="button" class="button-plain" onClick={() => void logOutHere()}>
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
  const isSet = caller.value?.has_password ?? false;
  const short = password !== "" && password.length < MIN_PASSWORD_LENGTH;
  const save = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    await attempt(async () => {
      await setPassword(password);
      setValue("");
      if (caller.value) caller.value = { ...caller.value, has_password: true };
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
          help={`At least ${MIN_PASSWORD_LENGTH} characters.`}
          error={short ? `${password.length} of at least ${MIN_PASSWORD_LENGTH} characters.` : undefined}
        />
        {problem && <ProblemBox problem={problem} />}
        <button type="submit" class="button-plain" disabled={busy || password.length < MIN_PASSWORD_LENGTH}>
          {busy ? "Saving …" : "Set password"}
        </button>
      </form>
    </section>
  );
}

async function logOutHere(): Promise<void> {
  try {
    await logOut();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    notify(`${error.title}. ${error.fix}`);
    return;
  }
  closeSheet();
  await start();
}
