/** Background work of the agent: which jobs are shown where, and their text. */

import type { EventMessage, Job } from "../api/types";
import { formatBytes } from "./byte-size";
import { toSentence } from "./sentence";

/** Jobs that ended longer ago are the agent's to keep. */
const MAX_KEPT = 100;

export const isActive = (job: Job): boolean => job.state === "queued" || job.state === "running";

/** The jobs after `event`, newest first; the same array when nothing has changed. */
export function applyJobEvent(jobs: readonly Job[], event: EventMessage): readonly Job[] {
  if (event.type !== "job") return jobs;
  const job = event.data;
  const others = jobs.filter((each) => each.id !== job.id);
  return [job, ...others].sort((a, b) => b.id - a.id).slice(0, MAX_KEPT);
}

/** Jobs to show above the list: those that go on, and of those that ended badly the ones that were not dismissed. */
export function jobsToShow(jobs: readonly Job[], dismissed: ReadonlySet<number>): Job[] {
  return jobs.filter((job) => isActive(job) || (endedBadly(job) && !dismissed.has(job.id)));
}

export const endedBadly = (job: Job): boolean => job.state === "failed" || job.state === "cut";

/** Done part of the step, 0 to 1; null where the total is not known. */
export function doneShare({ progress }: Job): number | null {
  if (progress === null || !progress.total) return null;
  return Math.min(1, Math.max(0, progress.done / progress.total));
}

/** "42 %", "3.1 MB", "12 of 40 packages", or nothing. */
export function progressText({ progress }: Job): string {
  if (progress === null) return "";
  const { done, total, unit } = progress;
  if (unit === "%") return `${done} %`;
  if (unit === "bytes") return total ? `${formatBytes(done)} of ${formatBytes(total)}` : formatBytes(done);
  return total ? `${done} of ${total} ${unit}` : `${done} ${unit}`;
}

/** What a job does now or how it ended, in words. */
export function jobText(job: Job): string {
  switch (job.state) {
    case "queued":
      return "waits for other work";
    case "running":
      return [job.step || "working", progressText(job)].filter(Boolean).join(" · ");
    case "done":
      return ["done", ...job.notes].join(" · ");
    case "cancelled":
      return "cancelled";
    case "cut":
      return "Homeport restarted before this was done. Start it again.";
    default:
      return job.error === null
        ? "failed"
        : `${toSentence(job.error.detail)} ${toSentence(job.error.fix)}`.trim();
  }
}
