import { useEffect, useState } from "preact/hooks";
import type { Port } from "../api/types";
import type { ShareDraft } from "../model/share-draft";
import { getHostAdvice } from "../net/agent-api";

interface Props {
  port: Port;
  draft: ShareDraft;
  onKeep: () => void;
}

/** Suggests the public name to a server whose page leads visitors to their own localhost, where that would help. */
export function HostAdvice({ port, draft, onKeep }: Props) {
  const [count, setCount] = useState(0);
  useEffect(() => {
    if (!port.listening) return;
    let shown = true;
    getHostAdvice(port.port).then(
      (advice) => shown && setCount(advice.suggestion === "keep" ? (advice.local_urls ?? 0) : 0),
      () => {}, // without advice there is nothing to show
    );
    return () => {
      shown = false;
    };
  }, [port.port, port.listening]);
  if (count === 0 || draft.hostHeader !== "") return null;
  return (
    <div role="note" data-host-advice class="space-y-2 rounded-box border border-password-dot px-3 py-2.5">
      <p class="font-medium">
        The page names http://localhost:{port.port} {count} times, which visitors cannot open. Asked by its
        public name, it names that instead.
      </p>
      <button type="button" class="button-quiet" onClick={onKeep}>
        Let it see the public name
      </button>
    </div>
  );
}
