import { useEffect, useState } from "preact/hooks";
import type { ActivityEntry, Repo } from "../api/types";
import { ProblemBox } from "../components/problem-box";
import { actorText, describeActivity } from "../model/activity-text";
import { appendOlder, type LogWindow, mergeNewest, PAGE_SIZE } from "../model/log-window";
import { formatLogTime } from "../model/time-format";
import { getActivity } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { disconnection } from "../state/agent";
import { now } from "../state/clock";
import { onEvent } from "../state/events";
import { routeHash } from "../state/route";

const BURST_MS = 250;

interface Props {
  /** Of one repo alone. */
  repo?: Repo["id"];
  /** Number of rows; without it all, with a button for older ones. */
  limit?: number;
}

/** What happened, newest first; new rows appear as they are written. */
export function ActivityFeed({ repo, limit }: Props) {
  const [log, setLog] = useState<LogWindow<ActivityEntry> | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const load = (before?: number) =>
    attempt(async () => {
      const page = await getActivity(PAGE_SIZE, before, repo);
      setLog((known) =>
        before === undefined || known === null ? mergeNewest(known, page) : appendOlder(known, page),
      );
      setProblem(null);
    }, setProblem);
  const connected = disconnection.value === null;
  useEffect(() => {
    if (connected) void load();
  }, [repo, connected]);
  useEffect(() => {
    // The row of an event has no id yet, so the event is only the sign to read; a burst is read at once.
    let timer = 0;
    const unsubscribe = onEvent((event) => {
      if (event.type !== "activity" || timer !== 0) return;
      if (repo !== undefined && event.data.repo !== repo) return;
      timer = window.setTimeout(() => {
        timer = 0;
        void load();
      }, BURST_MS);
    });
    return () => {
      unsubscribe();
      window.clearTimeout(timer);
    };
  }, [repo]);
  if (problem) return <ProblemBox problem={problem} />;
  if (log === null) return <p class="text-soft">Fetching what happened …</p>;
  if (log.rows.length === 0)
    return <p class="text-soft">What starts, stops, fails or is shared is noted here, and from where.</p>;
  return (
    <>
      <ul class="space-y-1">
        {log.rows.slice(0, limit).map((entry) => (
          <Row key={entry.id} entry={entry} withRepo={repo === undefined} />
        ))}
      </ul>
      {limit === undefined && log.more && (
        <button
          type="button"
          class="button-plain mt-3 max-sm:w-full"
          onClick={() => void load(log.rows.at(-1)?.id)}
        >
          Show {PAGE_SIZE} older
        </button>
      )}
    </>
  );
}

function Row({ entry, withRepo }: { entry: ActivityEntry; withRepo: boolean }) {
  const { kind, repo } = entry;
  const tone = kind === "failed" ? "text-danger" : kind === "shared" ? "text-password" : "";
  return (
    <li class="grid grid-cols-[4.5rem_minmax(0,1fr)] gap-x-3 text-small" data-activity-entry={kind}>
      <span class="text-soft">{formatLogTime(entry.time, now.value)}</span>
      <p class="min-w-0 [overflow-wrap:anywhere]">
        <span class={tone}>{describeActivity(entry)}</span>{" "}
        <span class="text-soft">
          {withRepo && repo !== null && (
            <>
              in{" "}
              <a
                class="text-ink underline decoration-line hover:text-accent"
                href={routeHash({ name: "repo", id: repo })}
              >
                {repo}
              </a>{" "}
            </>
          )}
          {actorText(entry)}
        </span>
      </p>
    </li>
  );
}
