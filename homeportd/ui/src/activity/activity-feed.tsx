import type { ActivityEntry, Repo } from "../api/types";
import { ProblemBox } from "../components/problem-box";
import { actorText, describeActivity } from "../model/activity-text";
import { PAGE_SIZE } from "../model/log-window";
import { formatLogTime } from "../model/time-format";
import { getActivity } from "../net/agent-api";
import { now } from "../state/clock";
import { useLiveLog } from "../state/live-log";
import { routeHash } from "../state/route";

interface Props {
  /** Of one repo alone. */
  repo?: Repo["id"];
  /** Number of rows; without it all, with a button for older ones. */
  limit?: number;
}

/** What happened, newest first; new rows appear as they are written. */
export function ActivityFeed({ repo, limit }: Props) {
  const { log, problem, loadOlder } = useLiveLog<ActivityEntry>(
    repo,
    (before) => getActivity(PAGE_SIZE, before, repo),
    (event) => event.type === "activity" && (repo === undefined || event.data.repo === repo),
  );
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
        <button type="button" class="button-plain mt-3 max-sm:w-full" onClick={loadOlder}>
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
