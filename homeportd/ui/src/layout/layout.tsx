import { useEffect } from "preact/hooks";
import { AccessLogSheet } from "../access-log/access-log";
import { ActivityPage } from "../activity/activity-page";
import { CloneSheet } from "../clone/clone-sheet";
import { ProblemBox } from "../components/problem-box";
import { Home } from "../home/home";
import { Palette } from "../palette/palette";
import { RemoveDialog } from "../repo/remove-dialog";
import { RepoPage } from "../repo/repo-page";
import { TerminalLoader } from "../repo/terminal-loader";
import { OutputPage } from "../servers/output-page";
import { ServerSheet } from "../servers/server-sheet";
import { Settings } from "../settings/settings";
import { ShareSheet } from "../share/share-sheet";
import { edgeFailure, edgePages, loadEdgePages } from "../state/edge-pages";
import { paletteOpen } from "../state/keyboard";
import { status } from "../state/machine";
import { reachablePage } from "../state/places";
import { removing } from "../state/repo-actions";
import { route, type TunnelPage } from "../state/route";
import { ConnectionLine } from "./connection-line";
import { BottomBar, Header } from "./header";
import { TunnelTabs } from "./tunnel-tabs";

/** The dashboard after the login: header, page, sheet, palette, and on a phone the bar at the bottom. */
export function Layout() {
  const to = route.value;
  const edge = edgePages.value;
  const hostname = status.value?.hostname ?? "";
  useEffect(() => {
    document.title = hostname ? `${hostname} · Homeport` : "Homeport";
  }, [hostname]);
  return (
    <div class="mx-auto max-w-5xl px-4 pb-28 sm:px-6 sm:pb-16">
      <Header />
      <main>
        <ConnectionLine />
        <CurrentPage />
      </main>
      <BottomBar />
      {to.name === "share" && <ShareSheet key={to.port} number={to.port} />}
      {to.name === "log" && <AccessLogSheet key={to.port} number={to.port} />}
      {to.name === "server" && <ServerSheet key={to.id} id={to.id} />}
      {to.name === "clone" && <CloneSheet />}
      {removing.value && <RemoveDialog key={removing.value.id} />}
      {edge && <edge.Sheets />}
      {paletteOpen.value && <Palette />}
    </div>
  );
}

function CurrentPage() {
  const page = reachablePage.value;
  switch (page.name) {
    case "home":
      return <Home />;
    case "activity":
      return <ActivityPage />;
    case "repo":
      return <RepoPage key={page.id} id={page.id} />;
    case "terminal":
      return <TerminalLoader key={page.id} id={page.id} />;
    case "output":
      return <OutputPage key={page.id} id={page.id} />;
    case "settings":
      return <Settings />;
    default:
      return <Tunnels page={page.name} />;
  }
}

function Tunnels({ page }: { page: TunnelPage }) {
  const edge = edgePages.value;
  return (
    <>
      <TunnelTabs page={page} />
      <div class="mt-4">{edge ? <edge.Page page={page} /> : <EdgePagesLoading />}</div>
    </>
  );
}

/** Shown until the pages of the edge are loaded, or when they could not be. */
function EdgePagesLoading() {
  const problem = edgeFailure.value;
  if (problem === null) return <p class="text-soft">Fetching this page …</p>;
  return (
    <div class="space-y-4">
      <ProblemBox problem={problem} />
      <button type="button" class="button-main" onClick={() => void loadEdgePages()}>
        Try again
      </button>
    </div>
  );
}
