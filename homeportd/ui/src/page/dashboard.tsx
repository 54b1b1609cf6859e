import { useEffect } from "preact/hooks";
import { AccessLog } from "../log/access-log";
import { Palette } from "../palette/palette";
import { Settings } from "../settings/settings";
import { ShareSheet } from "../share/share-sheet";
import { paletteOpen } from "../state/keyboard";
import { route } from "../state/route";
import { status } from "../state/store";
import { ConnectionLine } from "./connection-line";
import { Header } from "./header";
import { PortList } from "./port-list";
import { Toolbar } from "./toolbar";

/** Everything that is seen after the login. */
export function Dashboard() {
  const to = route.value;
  const hostname = status.value?.hostname ?? "";
  useEffect(() => {
    document.title = hostname ? `${hostname} · Homeport` : "Homeport";
  }, [hostname]);
  return (
    <div class="mx-auto max-w-5xl px-4 pb-28 sm:px-6 sm:pb-16">
      <Header />
      <Toolbar />
      <ConnectionLine />
      <main class="mt-4">
        <PortList />
      </main>
      {to.name === "share" && <ShareSheet key={to.port} number={to.port} />}
      {to.name === "log" && <AccessLog key={to.port} number={to.port} />}
      {to.name === "settings" && <Settings />}
      {paletteOpen.value && <Palette />}
    </div>
  );
}
