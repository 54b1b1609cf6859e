import { useEffect } from "preact/hooks";
import { AccessLog } from "../log/access-log";
import { Palette } from "../palette/palette";
import { ProblemBox } from "../parts/problem-box";
import { Settings } from "../settings/settings";
import { ShareSheet } from "../share/share-sheet";
import { edgePart } from "../state/edge";
import { paletteOpen } from "../state/keyboard";
import { route } from "../state/route";
import { edgeFailure, loadEdgePages, status } from "../state/store";
import { ConnectionLine } from "./connection-line";
import { Header } from "./header";
import { Nav, shownPage } from "./nav";
import { PortList } from "./port-list";
import { Toolbar } from "./toolbar";

/** Everything that is seen after the login. */
export function Dashboard() {
  const to = route.value;
  const page = shownPage();
  const edge = edgePart.value;
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
          {page === "list" ? <PortList /> : edge ? <edge.Page page={page} /> : <EdgeOnItsWay />}
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

/** Until the pages of the edge have come, or what kept them. */
function EdgeOnItsWay() {
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
