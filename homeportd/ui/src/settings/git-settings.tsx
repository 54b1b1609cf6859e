import { useEffect, useState } from "preact/hooks";
import type { Preferences, SshKey } from "../api/types";
import { Command } from "../components/command";
import { Field } from "../components/field";
import { PasswordField } from "../components/password-field";
import { ProblemBox } from "../components/problem-box";
import { getSshKey, makeSshKey } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { type Change, usePreferences } from "./preferences";
import { RunSettings } from "./run-settings";
import { SettingsSection } from "./settings-section";

/** Settings of git and of servers: identity of commits, tokens of the hosts of repositories, SSH key, idle time. */
export function GitSettings() {
  const { known, problem, change } = usePreferences();
  return (
    <>
      {known ? (
        <>
          <RunSettings known={known} change={change} />
          <Identity known={known.git} change={change} />
          <Host name="github" label="GitHub" known={known.github} change={change} />
          <Host name="gitlab" label="GitLab" known={known.gitlab} change={change} />
        </>
      ) : (
        <SettingsSection id="git" title="Git">
          {problem ? <ProblemBox problem={problem} /> : <p class="text-soft">Fetching the settings …</p>}
        </SettingsSection>
      )}
      <OwnSshKey />
    </>
  );
}

function Identity({ known, change }: { known: Preferences["git"]; change: Change }) {
  const [name, setName] = useState(known.name);
  const [email, setEmail] = useState(known.email);
  const [problem, setProblem] = useState<Problem | null>(null);
  const same = name === known.name && email === known.email;
  const save = async (event: Event) => {
    event.preventDefault();
    setProblem(await change({ git: { name, email } }, "Commits made here carry this name from now on."));
  };
  return (
    <SettingsSection
      id="git"
      title="Git identity"
      about="Name and e-mail address of the commits that are made on this machine. What is in ~/.gitconfig counts before them."
    >
      <form class="space-y-3" onSubmit={save}>
        <div class="grid gap-3 sm:grid-cols-2">
          <Field label="Name" value={name} onInput={setName} />
          <Field label="E-mail" value={email} onInput={setEmail} />
        </div>
        {problem && <ProblemBox problem={problem} />}
        <button type="submit" class="button-plain" disabled={same}>
          Save identity
        </button>
      </form>
    </SettingsSection>
  );
}

interface HostProps {
  name: "github" | "gitlab";
  label: string;
  known: Preferences["github"];
  change: Change;
}

/** A host of repositories: its address, and the token for it, which is never shown again. */
function Host({ name, label, known, change }: HostProps) {
  const [url, setUrl] = useState(known.url);
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const save = async (event: Event) => {
    event.preventDefault();
    const failed = await change(
      { [name]: { url, ...(token.trim() ? { token: token.trim() } : {}) } },
      `The settings of ${label} are saved.`,
    );
    setProblem(failed);
    if (failed === null) setToken("");
  };
  const remove = async () =>
    setProblem(await change({ [name]: { token: null } }, `The token of ${label} is forgotten.`));
  return (
    <SettingsSection
      id={name}
      title={label}
      about={
        known.token
          ? "A token is kept, encrypted. Git uses it for repositories of this host alone; it is never shown."
          : "With a token, private repositories are cloned, pulled and pushed without a question."
      }
    >
      <form class="space-y-3" onSubmit={save}>
        <Field label={`Address of ${label}`} value={url} onInput={setUrl} />
        <PasswordField
          label={known.token ? `New token of ${label}` : `Token of ${label}`}
          value={token}
          onInput={setToken}
          autocomplete="off"
          help="Made in the settings of your account there, with access to repositories."
        />
        {problem && <ProblemBox problem={problem} />}
        <div class="flex flex-wrap gap-2">
          <button type="submit" class="button-plain" disabled={url === known.url && token.trim() === ""}>
            Save {label}
          </button>
          {known.token && (
            <button type="button" class="button-quiet" onClick={() => void remove()}>
              Forget its token
            </button>
          )}
        </div>
      </form>
    </SettingsSection>
  );
}

/** The public half of the key that git uses for SSH, and the pages where it belongs. */
function OwnSshKey() {
  const [key, setKey] = useState<SshKey | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const read = (ask: () => Promise<SshKey>) => void attempt(async () => setKey(await ask()), setProblem);
  useEffect(() => read(getSshKey), []);
  return (
    <SettingsSection
      id="ssh"
      title="SSH key"
      about="For addresses such as git@github.com:owner/name. Only the public half is shown."
    >
      {key?.public_key && (
        <>
          <Command text={key.public_key} />
          <p class="mt-2 text-soft">
            It belongs on{" "}
            {key.pages.map((page, index) => (
              <>
                {index > 0 && " or "}
                <a
                  key={page}
                  class="text-accent underline [overflow-wrap:anywhere]"
                  href={page}
                  target="_blank"
                  rel="noopener noreferrer"
                >
                  {new URL(page).host}
                </a>
              </>
            ))}
            .
          </p>
        </>
      )}
      {key !== null && !key.public_key && (
        <button type="button" class="button-plain" onClick={() => read(makeSshKey)}>
          Make a key
        </button>
      )}
      {key === null && !problem && <p class="text-soft">Fetching the key …</p>}
      {problem && <ProblemBox problem={problem} />}
    </SettingsSection>
  );
}
