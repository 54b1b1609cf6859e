import { useEffect, useState } from "preact/hooks";
import type { Editor, Repo } from "../api/types";
import { OpenIcon } from "../components/icons";
import { getEditor } from "../net/agent-api";
import { attempt } from "../net/attempt";
import { disconnection } from "../state/agent";

/** Opens the repo in the editor, which starts for that; nothing where the machine has none. */
export function EditorLink({ repo }: { repo: Repo["id"] }) {
  const [editor, setEditor] = useState<Editor | null>(null);
  const connected = disconnection.value === null;
  useEffect(() => {
    // What cannot be read is left out: the rest of the page is of use without it.
    if (connected)
      void attempt(
        async () => setEditor(await getEditor(repo)),
        () => setEditor(null),
      );
  }, [repo, connected]);
  if (!editor?.url || editor.state === "off") return null;
  return (
    <a
      class="button-quiet"
      href={editor.url}
      target="_blank"
      rel="noopener"
      title={editor.failure ?? undefined}
    >
      <OpenIcon /> Open in editor
    </a>
  );
}
