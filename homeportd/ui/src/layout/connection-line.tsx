import { useEffect, useState } from "preact/hooks";
import { disconnection, retryNow } from "../state/agent";

/** A line that is shown while the agent cannot be reached: since when, and when the next attempt comes. */
export function ConnectionLine() {
  const state = disconnection.value;
  const [, tick] = useState(0);
  useEffect(() => {
    if (state === null) return;
    const timer = window.setInterval(() => tick((count) => count + 1), 1_000);
    return () => window.clearInterval(timer);
  }, [state === null]);
  if (state === null) return null;
  const seconds = Math.ceil((state.retryAt - Date.now()) / 1000);
  const since = new Date(state.since).toLocaleTimeString("en-GB");
  return (
    <div
      class="appear mt-3 flex flex-wrap items-center gap-x-3 rounded-box border border-line bg-hover px-3 text-small"
      data-disconnected
    >
      <p class="py-2">
        Connection lost. This is how things were at {since}.{" "}
        <span class="text-soft">{seconds > 0 ? `Trying again in ${seconds} s.` : "Trying now …"}</span>
      </p>
      <button type="button" class="button-quiet ml-auto" onClick={retryNow}>
        Try now
      </button>
    </div>
  );
}
