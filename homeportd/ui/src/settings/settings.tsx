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
import { HOME, navigate, routeHash } from "../state/route";
import { GitSettings } from "./git-settings";
import { SettingsSection } from "./settings-section";
import { Tokens } from "./tokens";

const MIN_PASSWORD_LENGTH = 8;

/** Links beside the page on a wide screen; a workstation has more than an edge. */
const SECTIONS = [
  { id: "servers", title: "Servers", of: "workstation" },
  { id: "git", title: "Git identity", of: "workstation" },
  { id: "github", title: "GitHub", of: "workstation" },
  { id: "gitlab", title: "GitLab", of: "workstation" },
  { id: "ssh", title: "SSH key", of: "workstation" },
  { id: "tokens", title: "Tokens", of: "all" },
  { id: "password", title: "Password", of: "all" },
  { id: "inventory", title: "Inventory", of: "all" },
  { id: "browser", title: "Log out", of: "all" },
] as const;

/** The page of settings. */
export function Settings() {
  const { hostname = "", version = "", origin = null } = status.value ?? {};
  const isWorkstation = origin !== null;
  return (
    <div class="mt-5 grid max-w-4xl gap-x-8 gap-y-4 lg:grid-cols-[10rem_minmax(0,1fr)]">
      <header class="lg:sticky lg:top-5 lg:self-start">
        <h2 class="text-title font-semibold">Settings</h2>
        <p class="mt-0.5 text-small text-soft [overflow-wrap:anywhere]">
          Homeport {version} on {hostname}
        </p>
        <nav aria-label="Sections" class="mt-3 -ml-3 max-lg:hidden">
          <ul>
            {SECTIONS.filter(({ of }) => of === "all" || isWorkstation).map(({ id, title }) => (
              <li key={id}>
                <a
                  href={routeHash({ name: "settings", section: id })}
                  class="button w-full justify-start text-soft hover:bg-hover"
                >
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      </header>
      <div class="space-y-4">
        <ServedUser />
        {isWorkstation && <GitSettings />}
        <Tokens />
        <DashboardPassword />
        <Inventory />
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

/** What is set in the inventory, and how to change it there. */
function Inventory() {
  const { origin, dashboard_url: dashboard = "", edge = null } = status.value ?? {};
  const facts = [
    ["Dashboard", dashboard],
    ...(origin ? [["Address of a port", origin]] : []),
    ...(edge ? [["Edge", edge.url]] : []),
  ];
  return (
    <SettingsSection
      id="inventory"
      title="From the inventory"
      about="These are set in the inventory, by bin/site, and not here; so are the port ranges (homeport_port_ranges)."
    >
      <dl class="space-y-1.5">
        {facts.map(([name, value]) => (
          <div key={name} class="grid gap-x-3 sm:grid-cols-[9rem_minmax(0,1fr)]">
            <dt class="text-small text-soft">{name}</dt>
            <dd class="font-mono text-small [overflow-wrap:anywhere]">{value}</dd>
          </div>
        ))}
      </dl>
    </SettingsSection>
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
