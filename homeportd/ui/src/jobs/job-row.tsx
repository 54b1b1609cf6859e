import { useEffect, useState } from "preact/hooks";
import type { Job, JobLine } from "../api/types";
import { CloseIcon } from "../components/icons";
import { ProblemBox } from "../components/problem-box";
import { StatusDot, type Tone } from "../components/status-dot";
import { doneShare, endedBadly, isActive, jobText } from "../model/jobs";
import { formatAge } from "../model/time-format";
import { getJobLog } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { now } from "../state/clock";
import { cancel, dismiss } from "../state/jobs";

/** Lines of a job's log that are shown. */
const MAX_LINES = 2000;

const toneOf = (job: Job): Tone => {
  if (endedBadly(job)) return "error";
  if (isActive(job)) return "password";
  return job.state === "done" ? "public" : "private";
};

interface Props {
  job: Job;
  /** Whether one that ended badly can be put away. */
  dismissable?: boolean;
}

/** The row of a job: what it does, how far it is, its log on request, and a way to cancel it. */
export function JobRow({ job, dismissable = false }: Props) {
  const [open, setOpen] = useState(false);
  const share = doneShare(job);
  return (
    <li data-job={job.id} class="appear px-4 py-1.5 max-sm:pr-2">
      <div class="grid grid-cols-[0.625rem_minmax(0,1fr)_auto] items-center gap-x-2.5 sm:gap-x-3">
        <StatusDot tone={toneOf(job)} filled={job.state !== "cancelled"} />
        <p class="min-w-0 [overflow-wrap:anywhere]">
          <span class="font-medium">{job.title.charAt(0).toUpperCase() + job.title.slice(1)}</span>{" "}
          <span class={`text-small ${endedBadly(job) ? "text-danger" : "text-soft"}`}>
            {jobText(job)}
            {job.ended_at && ` · ${formatAge(job.ended_at, now.value)}`}
          </span>
        </p>
        <div class="flex">
          {job.lines > 0 && (
            <button
              type="button"
              class="button-quiet"
              aria-expanded={open}
              aria-label={`Log of ${job.title}`}
              onClick={() => setOpen(!open)}
            >
              Log
            </button>
          )}
          {isActive(job) && (
            <button
              type="button"
              class="button-quiet"
              aria-label={`Cancel ${job.title}`}
              onClick={() => void cancel(job)}
            >
              Cancel
            </button>
          )}
          {dismissable && !isActive(job) && (
            <button
              type="button"
              class="button px-0 text-soft hover:bg-hover"
              aria-label={`Put away ${job.title}`}
              onClick={() => dismiss(job)}
            >
              <CloseIcon />
            </button>
          )}
        </div>
      </div>
      {job.state === "running" && share !== null && (
        <svg class="mt-1 h-1 w-full" preserveAspectRatio="none" viewBox="0 0 100 4" aria-hidden="true">
          <rect width="100" height="4" rx="1" class="fill-line" />
          <rect width={share * 100} height="4" rx="1" class="fill-accent" />
        </svg>
      )}
      {open && <JobLog job={job} />}
    </li>
  );
}

/** The lines of a job's log; new ones are fetched as the job says that there are some. */
function JobLog({ job }: { job: Job }) {
  const [lines, setLines] = useState<readonly JobLine[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    void attempt(async () => {
      const more = await getJobLog(job.id, lines.at(-1)?.number ?? 0);
      setProblem(null);
      setLines((known) => {
        const newest = known.at(-1)?.number ?? 0;
        return [...known, ...more.filter((line) => line.number > newest)].slice(-MAX_LINES);
      });
    }, setProblem);
  }, [job.id, job.lines]);
  if (problem) return <ProblemBox problem={problem} />;
  return (
    <section
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keys.
      tabIndex={0}
      aria-label={`Log of ${job.title}`}
      class="mt-1.5 max-h-64 overflow-auto rounded-box bg-ground p-3"
    >
      <pre class="font-mono text-small whitespace-pre-wrap [overflow-wrap:anywhere]">
        {lines.map((line) => `${line.text}\n`).join("") || "Fetching the log …"}
      </pre>
    </section>
  );
}
