import { isActive } from "../model/jobs";
import { jobs, shownJobs } from "../state/jobs";
import { JobRow } from "./job-row";

/** Jobs that go on or failed just now; nothing where there are none. `subject`: those of one repo alone. */
export function CurrentJobs({ subject }: { subject?: string }) {
  const shown = shownJobs.value.filter((job) => subject === undefined || job.subject === subject);
  if (shown.length === 0) return null;
  return (
    <section aria-label="Jobs" class="rounded-box border border-line bg-paper py-1">
      <ul>
        {shown.map((job) => (
          <JobRow key={job.id} job={job} dismissable />
        ))}
      </ul>
    </section>
  );
}

/** All jobs that are known, those that go on first. */
export function AllJobs() {
  const all = [...jobs.value].sort((a, b) => Number(isActive(b)) - Number(isActive(a)));
  if (all.length === 0) return <p class="px-4 pb-3 text-soft">Clones, pulls and installs are listed here.</p>;
  return (
    <ul>
      {all.map((job) => (
        <JobRow key={job.id} job={job} />
      ))}
    </ul>
  );
}
