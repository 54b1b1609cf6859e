import { useEffect } from "preact/hooks";
import { AccessLog } from "../access-log/access-log";
import { ProblemBox } from "../components/problem-box";
import { Palette } from "../palette/palette";
import { Settings } from "../settings/settings";
import { ShareSheet } from "../share/share-sheet";
import { edgeFailure, edgePages, loadEdgePages } from "../state/edge-pages";
import { paletteOpen } from "../state/keyboard";
import { status } from "../state/machine";
import { route } from "../state/route";
import { ConnectionLine } from "./connection-line";
import { Header } from "./header";
import { Nav, shownPage } from "./nav";
import { PortList } from "./port-list";
import { Toolbar } from "./toolbar";

/** The page after the login, with its sheets and the palette. */
export function Dashboard() {
  const to = route.value;
  const page = shownPage();
  const edge = edgePages.value;
  const hostname = status.value?.hostname ?? "";
  useEffect(() => {
    document.title = hostname ? `${hostname} · Homeport` : "Homeport";
  }, [hostname]);
  return (
    <div class="mx-auto max-w-5xl px-4 pb-28 sm:px-6 sm:pb-16">
      <Header />
      <Nav />
      <main>
        <Toolbar />
        <ConnectionLine />
        <div class="mt-4">
          {page === "list" ? <PortList /> : edge ? <edge.Page page={page} /> : <EdgePagesLoading />}
        </div>
      </main>
      {to.name === "share" && <ShareSheet key={to.port} number={to.port} />}
      {to.name === "log" && <AccessLog key={to.port} number={to.port} />}
      {to.name === "settings" && <Settings />}
      {edge && <edge.Sheets />}
      {paletteOpen.value && <Palette />}
    </div>
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
