/** Background work of the agent, kept up to date by its events. */

import { computed, signal } from "@preact/signals";
import type { EventMessage, Job } from "../api/types";
import { announce, notify } from "../browser/notices";
import { applyJobEvent, isActive, jobsToShow, jobText } from "../model/jobs";
import { toSentence } from "../model/sentence";
import { cancelJob } from "../net/agent-api";
import { attempt } from "../net/attempt";
import { dispatch, onEvent } from "./events";

const state = signal<readonly Job[]>([]);
/** Newest first. Changed by events, and by `setJobs`. */
export const jobs: { readonly value: readonly Job[]; peek: () => readonly Job[] } = state;

/** Failed jobs that the person has seen. */
const dismissed = signal<ReadonlySet<number>>(new Set());
export const shownJobs = computed(() => jobsToShow(state.value, dismissed.value));

/** Replaces all by what was read, brought up to date by events that came meanwhile. */
export function setJobs(read: readonly Job[], since: readonly EventMessage[]): void {
  // What ended badly before this page was opened is in the list of jobs, not in the way.
  if (state.peek().length === 0)
    dismissed.value = new Set(read.filter((job) => !isActive(job)).map(({ id }) => id));
  state.value = since.reduce(applyJobEvent, read);
}

/** Shows the job that a request has started before its first event comes. */
export const showJob = (job: Job): void => dispatch({ id: null, type: "job", data: job });

export function dismiss(job: Job): void {
  dismissed.value = new Set([...dismissed.peek(), job.id]);
}

export async function cancel(job: Job): Promise<void> {
  await attempt(
    async () => showJob(await cancelJob(job.id)),
    (problem) => notify(`${toSentence(problem.title)} ${problem.fix}`),
  );
}

onEvent((event) => {
  if (event.type !== "job") return;
  const before = state.peek().find((each) => each.id === event.data.id);
  // The answer to a request may come after the event of the job's end.
  if (event.id === null && before !== undefined && !isActive(before)) return;
  state.value = applyJobEvent(state.peek(), event);
  if ((before === undefined || isActive(before)) && !isActive(event.data)) {
    const text = `${toSentence(event.data.title)} ${toSentence(jobText(event.data))}`;
    if (event.data.state === "done") notify(text);
    else announce(text);
  }
});
