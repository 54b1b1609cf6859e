import { useEffect, useState } from "preact/hooks";
import { copyText } from "../browser/clipboard";
import { announce } from "../browser/notices";
import { CheckIcon, CopyIcon } from "./icons";

const SHOWN_MS = 2_000;

/** Copies `text`, and says so on the button. `what` completes "Copy …" for screen readers. */
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
