import { useEffect, useState } from "preact/hooks";
import { copyText } from "../state/actions";
import { announce } from "../state/notice";
import { CheckIcon, CopyIcon } from "./icons";

const SHOWN_MS = 2_000;

/** Copies `text`, and says so on the button itself. `what` completes "Copy …" for those who cannot see the place. */
export function CopyButton({
  text,
  what,
  class: style = "button-plain",
}: {
  text: string;
  what: string;
  class?: string;
}) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = window.setTimeout(() => setState("idle"), SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [state]);
  const copy = async () => {
    const done = await copyText(text);
    setState(done ? "copied" : "failed");
    announce(done ? `Copied ${what}.` : "The browser does not allow copying. Select the text instead.");
  };
  return (
    <button type="button" class={style} onClick={copy} aria-label={`Copy ${what}`}>
      {state === "copied" ? <CheckIcon /> : <CopyIcon />}
      {state === "idle" ? "Copy" : state === "copied" ? "Copied" : "Select it"}
    </button>
  );
}
