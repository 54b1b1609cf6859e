import { CopyButton } from "./copy-button";

/** A command for the terminal with a copy button. */
export function Command({ text }: { text: string }) {
  return (
    <div class="flex items-center gap-2 rounded-box border border-line bg-paper py-1 pr-1 pl-3">
      <code class="min-w-0 flex-1 py-1 font-mono text-small [overflow-wrap:anywhere]">
        {text.split(/(?<= )/).map((word, index) => (
          // So that a line does not break at the hyphens of an option.
          <span key={index} class="inline-block max-w-full whitespace-pre-wrap">
            {word}
          </span>
        ))}
      </code>
      <CopyButton text={text} what={text} class="button-quiet" />
    </div>
  );
}
