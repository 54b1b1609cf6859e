import { useState } from "preact/hooks";
import { notify } from "../browser/notices";
import { Command } from "../components/command";
import { PasswordField } from "../components/password-field";
import { ProblemBox } from "../components/problem-box";
import { logOut, setPassword } from "../net/agent-api";
import { attempt } from "../net/attempt";
import { Problem } from "../net/problem";
import { caller, start } from "../state/agent";
import { status } from "../state/machine";
import { HOME, navigate } from "../state/route";
import { GitSettings } from "./git-settings";
import { SettingsSection } from "./settings-section";
import { Tokens } from "./tokens";

const MIN_PASSWORD_LENGTH = 8;

/** The page of settings. */
export function Settings() {
  const { hostname = "", version = "" } = status.value ?? {};
  return (
    <div class="mt-5 grid max-w-4xl gap-x-8 gap-y-4 lg:grid-cols-[10rem_minmax(0,1fr)]">
      <header class="lg:sticky lg:top-5 lg:self-start">
        <h2 class="text-title font-semibold">Settings</h2>
        <p class="mt-0.5 text-small text-soft [overflow-wrap:anywhere]">
          Homeport {version} on {hostname}
        </p>
      </header>
      <div class="space-y-4">
        <ServedUser />
        {status.value?.origin != null && <GitSettings />}
        <Tokens />
        <DashboardPassword />
        <SettingsSection
          id="browser"
          title="This browser"
          about="Logged in until you log out here. Shared links go on working."
        >
          <button type="button" class="button-plain" onClick={() => void logOutHere()}>
            Log out
          </button>
        </SettingsSection>
      </div>
    </div>
  );
}

function ServedUser() {
  const { user = "", user_choice: choice } = status.value ?? {};
  if (!choice) return null;
  return (
    <SettingsSection id="account" title="Account">
      <p class="mt-1 mb-3 text-soft">
        The agent serves <span class="font-mono text-small">{user}</span>: {choice.sentence}.
        {choice.change && " For another account, run this in the checkout:"}
      </p>
      {choice.change && <Command text={choice.change} />}
    </SettingsSection>
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
    <SettingsSection
      id="password"
      title="Dashboard password"
      about={
        isSet
          ? "One is set. A new one takes its place."
          : "None is set: a link from the terminal is the only way in."
      }
    >
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
    </SettingsSection>
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
  navigate(HOME);
  await start();
}
