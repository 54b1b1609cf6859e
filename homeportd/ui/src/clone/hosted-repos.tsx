import { useEffect, useState } from "preact/hooks";
import type { HostedPage, HostedRepo } from "../api/types";
import { Chips } from "../components/chips";
import { ProblemBox } from "../components/problem-box";
import { formatAge } from "../model/time-format";
import { getHostedRepos } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { readOrder } from "../net/read-order";
import { now } from "../state/clock";
import { routeHash } from "../state/route";

const HOSTS = [
  { value: "github", label: "GitHub" },
  { value: "gitlab", label: "GitLab" },
] as const;
/** Typing goes on: a request for each letter would use up the host's limit. */
const PAUSE_MS = 250;
/** Below this many requests that the host still allows, it is said. */
const FEW_REQUESTS = 100;

interface Props {
  /** Address that is in the form. */
  chosen: string;
  onChoose: (address: string) => void;
}

/** The person's own repositories at a host, private ones too, to pick one; read once they are asked for. */
export function HostedRepos(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary class="target flex w-fit items-center rounded-box text-accent">
        Your repositories at GitHub or GitLab
      </summary>
      {open && <PickList {...props} />}
    </details>
  );
}

function PickList({ chosen, onChoose }: Props) {
  const [host, setHost] = useState<"github" | "gitlab">("github");
  const [query, setQuery] = useState("");
  const [reads] = useState(readOrder);
  const [found, setFound] = useState<HostedPage | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  const read = (page: number) =>
    attempt(async () => {
      const isNewest = reads.begin();
      const answer = await getHostedRepos(host, query.trim(), page);
      if (!isNewest()) return;
      setProblem(null);
      setFound((before) =>
        page > 1 && before ? { ...answer, repos: [...before.repos, ...answer.repos] } : answer,
      );
    }, setProblem);
  useEffect(() => {
    const timer = window.setTimeout(() => void read(1), found === null ? 0 : PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [host, query]);

  return (
    <div class="mt-2 space-y-3">
      <Chips
        legend="Host"
        chips={HOSTS}
        value={host}
        onChange={(value) => {
          setFound(null);
          setProblem(null);
          setHost(value);
        }}
      />
      <input
        type="search"
        class="field"
        placeholder="Search"
        aria-label="Search your repositories"
        autocomplete="off"
        spellcheck={false}
        value={query}
        onInput={(event) => setQuery(event.currentTarget.value)}
      />
      {problem && <ProblemBox problem={problem} />}
      {problem?.status === 409 && (
        <a class="button-plain" href={routeHash({ name: "settings", section: host })}>
          To the settings
        </a>
      )}
      {found === null && !problem && (
        <p class="text-soft">Asking {host === "github" ? "GitHub" : "GitLab"} …</p>
      )}
      {found !== null && !problem && (
        <>
          {found.repos.length === 0 && <p class="text-soft">None has these words.</p>}
          <ul class="max-h-64 overflow-y-auto rounded-box border border-line empty:hidden">
            {found.repos.map((repo) => (
              <li key={repo.url} class="border-t border-line first:border-t-0">
                <Choice repo={repo} chosen={chosen === repo.url} onChoose={() => onChoose(repo.url)} />
              </li>
            ))}
          </ul>
          {found.more && (
            <button type="button" class="button-plain" onClick={() => void read(found.page + 1)}>
              More
            </button>
          )}
          {!found.complete && <p class="text-small text-soft">Not all of them were searched: type more.</p>}
          <RateText page={found} />
        </>
      )}
    </div>
  );
}

function RateText({ page: { rate } }: { page: HostedPage }) {
  if (rate.remaining === null || rate.remaining > FEW_REQUESTS) return null;
  return (
    <p class="text-small text-soft">
      The host allows {rate.remaining} requests more
      {rate.reset_at &&
        `, and again ${rate.limit ?? "more"} from ${new Date(rate.reset_at).toLocaleTimeString("en-GB")} on`}
      .
    </p>
  );
}

interface ChoiceProps {
  repo: HostedRepo;
  chosen: boolean;
  onChoose: () => void;
}

function Choice({ repo, chosen, onChoose }: ChoiceProps) {
  const marks = [
    repo.private ? "private" : "",
    repo.fork ? "fork" : "",
    repo.archived ? "archived" : "",
    repo.pushed_at ? `changed ${formatAge(repo.pushed_at, now.value)}` : "",
  ].filter(Boolean);
  return (
    <button
      type="button"
      aria-pressed={chosen}
      class="target w-full px-3 py-1.5 text-left hover:bg-hover aria-pressed:bg-accent-wash"
      onClick={onChoose}
    >
      <span class="font-medium [overflow-wrap:anywhere]">{repo.name}</span>{" "}
      <span class="text-small text-soft">{marks.join(" · ")}</span>
      {repo.description && <span class="block truncate text-small text-soft">{repo.description}</span>}
    </button>
  );
}
