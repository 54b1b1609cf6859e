import type { Port } from "../api/types";
import { Command } from "../components/command";
import { cautionText } from "../model/port-text";

/** What to know before a port is shared: that browsers get nothing there, or that visitors get everything. */
export function CautionBox({ port }: { port: Port }) {
  const text = cautionText(port);
  if (!text) return null;
  const danger = port.caution?.kind === "debugger";
  const look = danger ? "border-danger bg-danger-wash" : "border-password-dot";
  return (
    <div
      role="note"
      data-caution
      class={`space-y-2 rounded-box border px-3 py-2.5 [overflow-wrap:anywhere] ${look}`}
    >
      <p class={danger ? "font-medium text-danger" : "font-medium"}>{text}</p>
      {!port.outside && port.caution?.command && <Command text={port.caution.command} />}
    </div>
  );
}
