import { CopyButton } from "./copy-button";

/** A command for the terminal, exact, with a copy button. */
export function Command({ text }: { text: string }) {
  return (
    <div class="flex items-center gap-2 rounded-box border border-line bg-paper py-1 pr-1 pl-3">
      <code class="min-w-0 flex-1 font-mono text-small [overflow-wrap:anywhere]">{text}</code>
      <CopyButton text={text} what={text} class="button-quiet" />
    </div>
  );
}
