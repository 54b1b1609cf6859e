import { ActivityFeed } from "../activity/activity-feed";
import { Block } from "../components/block";
import { PlusIcon } from "../components/icons";
import { FilterField } from "../filter/filter-field";
import { CurrentJobs } from "../jobs/job-list";
import { isShared } from "../model/port-text";
import { filter } from "../state/filter";
import { portGroups, portsState } from "../state/port-state";
import { navigate, routeHash } from "../state/route";
import { MachineLoad } from "./machine-load";
import { RepoList } from "./repo-list";

/** Rows of the activity feed that are shown. */
const RECENT = 5;

/** The first page of a workstation: its load, and its repos with their ports, and what happened last. */
export function Home() {
  return (
    <>
      <MachineLoad />
      <div class="mt-5 flex flex-wrap items-center gap-x-3 gap-y-2">
        <p class="flex-1 text-soft max-sm:basis-full">
          <Summary />
        </p>
        <FilterField label="Filter ports and repos" />
        <button type="button" class="button-plain" onClick={() => navigate({ name: "clone" })}>
          <PlusIcon /> Clone
        </button>
      </div>
      <div class="mt-4 space-y-4">
        <CurrentJobs />
        <RepoList />
        <Block
          id="activity"
          title="Activity"
          actions={
            <a href={routeHash({ name: "activity" })} class="button-quiet">
              All activity
            </a>
          }
        >
          <ActivityFeed limit={RECENT} />
        </Block>
      </div>
    </>
  );
}

/** "4 ports running, 1 shared." */
function Summary() {
  const ports = [...portsState.value.ports.values()];
  const running = ports.filter((port) => port.listening).length;
  const shared = ports.filter(isShared).length;
  if (filter.value.trim() !== "") return <>{`${portGroups.value.count} of ${ports.length} ports`}</>;
  return (
    <>
      {running === 1 ? "1 port running" : `${running} ports running`}
      {shared > 0 ? `, ${shared} shared` : ""}
    </>
  );
}
