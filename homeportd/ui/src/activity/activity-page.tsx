import { BackLink } from "../components/back-link";
import { Block } from "../components/block";
import { AllJobs } from "../jobs/job-list";
import { HOME, routeHash } from "../state/route";
import { ActivityFeed } from "./activity-feed";

/** The page of the agent's background work, and of what happened. */
export function ActivityPage() {
  return (
    <>
      <BackLink href={routeHash(HOME)} label="All repos" />
      <h2 class="mt-1 mb-4 text-title font-semibold">Activity</h2>
      <div class="space-y-4">
        <Block id="jobs" title="Jobs" padded={false}>
          <AllJobs />
        </Block>
        <Block id="happened" title="What happened">
          <ActivityFeed />
        </Block>
      </div>
    </>
  );
}
