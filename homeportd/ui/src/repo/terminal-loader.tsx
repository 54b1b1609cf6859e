import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { BackLink } from "../components/back-link";
import { routeHash } from "../state/route";

/** The page of a repo's terminal, whose script is loaded when it is opened. */
export function TerminalLoader({ id }: { id: string }) {
  const [Page, setPage] = useState<FunctionComponent<{ repo: string }> | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    import("../terminal/terminal-page").then(
      (part) => setPage(() => part.TerminalPage),
      () => setFailed(true),
    );
  }, []);
  return (
    <>
      <BackLink href={routeHash({ name: "repo", id })} label={id} />
      <h2 class="mt-1 mb-3 text-title font-semibold [overflow-wrap:anywhere]">Terminal in {id}</h2>
      {Page && <Page repo={id} />}
      {!Page && (
        <p class="text-soft">
          {failed ? "A part of the dashboard did not come. Reload the page." : "Fetching the terminal …"}
        </p>
      )}
    </>
  );
}
