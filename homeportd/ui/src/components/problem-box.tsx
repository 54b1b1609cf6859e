import type { Problem } from "../net/problem";

/** Text whose parts between backticks are set as code. */
export function CodeText({ text }: { text: string }) {
  return (
    <>
      {text.split("`").map((part, index) =>
        index % 2 === 1 ? (
          <code key={index} class="font-mono text-small">
            {part}
          </code>
        ) : (
          part
        ),
      )}
    </>
  );
}

/** A problem: what happened, what it means, the next step, and the technical cause on request. */
export function ProblemBox({ problem }: { problem: Problem }) {
  return (
    <div
      role="alert"
      class="rounded-box border border-danger bg-danger-wash px-3 py-2.5 [overflow-wrap:anywhere]"
    >
      <p class="font-medium text-danger">
        <CodeText text={problem.title} />
      </p>
      {problem.detail && (
        <p class="mt-1">
          <CodeText text={problem.detail} />
        </p>
      )}
      {problem.fix && (
        <p class="mt-1">
          <CodeText text={problem.fix} />
        </p>
      )}
      <details class="mt-1 text-small">
        <summary class="text-soft">Technical cause</summary>
        <pre class="mt-1 max-h-40 overflow-auto font-mono whitespace-pre-wrap">{problem.cause}</pre>
      </details>
    </div>
  );
}
