import "@xterm/xterm/css/xterm.css";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { useEffect, useRef, useState } from "preact/hooks";
import { ProblemBox } from "../components/problem-box";
import { getTerminals } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { start as readAgain } from "../state/agent";
import { redirectStyles } from "./strict-styles";
import { TerminalConnection } from "./terminal-connection";

const THEME = {
  background: "#ffffff",
  foreground: "#1a1c1e",
  cursor: "#0b4a86",
  cursorAccent: "#ffffff",
  selectionBackground: "#c9dcef",
  black: "#1a1c1e",
  red: "#94160e",
  green: "#0c5227",
  yellow: "#723a00",
  blue: "#0b4a86",
  magenta: "#6b1d6d",
  cyan: "#064e5b",
  white: "#4a4f55",
  brightBlack: "#4a4f55",
  brightRed: "#94160e",
  brightGreen: "#0c5227",
  brightYellow: "#723a00",
  brightBlue: "#0b4a86",
  brightMagenta: "#6b1d6d",
  brightCyan: "#064e5b",
  brightWhite: "#4a4f55",
};
const SCROLLBACK_LINES = 5_000;
/** Keys that a phone's keyboard lacks. */
const KEYS = [
  { label: "Esc", sends: "\x1b" },
  { label: "Tab", sends: "\t" },
  { label: "Ctrl C", sends: "\x03" },
  { label: "Ctrl D", sends: "\x04" },
  { label: "↑", sends: "\x1b[A" },
  { label: "↓", sends: "\x1b[B" },
] as const;

type State = "connecting" | "open" | "lost" | "refused" | { ended: string };

/** A terminal in a repo: the one that is open there, else a new one. */
export function TerminalPage({ repo }: { repo: string }) {
  const box = useRef<HTMLDivElement>(null);
  const connection = useRef<TerminalConnection | null>(null);
  const [state, setState] = useState<State>("connecting");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [number, setNumber] = useState(0);

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const restoreStyles = redirectStyles();
    const terminal = new Terminal({
      fontFamily: getComputedStyle(element).fontFamily,
      fontSize: 14,
      scrollback: SCROLLBACK_LINES,
      theme: THEME,
      minimumContrastRatio: 7,
      screenReaderMode: false,
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(element);
    fit.fit();
    const size = new ResizeObserver(() => fit.fit());
    size.observe(element);
    let gone = false;
    const connect = (open: string | null) => {
      connection.current = new TerminalConnection(
        repo,
        open,
        { columns: terminal.cols, rows: terminal.rows },
        {
          output: (data, shown) => terminal.write(data, shown),
          clear: () => terminal.reset(),
          connected: () => {
            setState("open");
            terminal.focus();
          },
          lost: () => setState("lost"),
          ended: (code, signal) => setState({ ended: endText(code, signal) }),
          loggedOut: () => void readAgain(),
          refused: () => setState("refused"),
        },
      );
    };
    terminal.onData((data) => connection.current?.type(data));
    terminal.onBinary((data) =>
      connection.current?.type(Uint8Array.from(data, (letter) => letter.charCodeAt(0))),
    );
    terminal.onResize(({ cols, rows }) => connection.current?.resize(cols, rows));
    void attempt(async () => {
      const open = number === 0 ? await getTerminals(repo) : [];
      if (!gone) connect(open.at(-1)?.id ?? null);
    }, setProblem);
    return () => {
      gone = true;
      connection.current?.close();
      connection.current = null;
      size.disconnect();
      terminal.dispose();
      restoreStyles();
    };
  }, [repo, number]);

  const over = typeof state === "object" || state === "refused";
  return (
    <>
      {problem && <ProblemBox problem={problem} />}
      <div
        ref={box}
        data-terminal
        class="h-[72dvh] overflow-hidden rounded-box border border-line bg-paper p-2 font-mono max-sm:h-[52dvh]"
      />
      <div class="mt-2 flex flex-wrap items-center gap-2">
        <p class="flex-1 text-small text-soft" role="status">
          {stateText(state)}
        </p>
        <div class="flex flex-wrap gap-1 sm:hidden">
          {KEYS.map(({ label, sends }) => (
            <button
              key={label}
              type="button"
              class="button-plain px-2.5"
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => connection.current?.type(sends)}
            >
              {label}
            </button>
          ))}
        </div>
        {over ? (
          <button
            type="button"
            class="button-main"
            onClick={() => {
              setState("connecting");
              setNumber(number + 1);
            }}
          >
            New terminal
          </button>
        ) : (
          <button type="button" class="button-plain" onClick={() => connection.current?.end()}>
            End terminal
          </button>
        )}
      </div>
    </>
  );
}

function stateText(state: State): string {
  if (typeof state === "object") return state.ended;
  switch (state) {
    case "connecting":
      return "Connecting …";
    case "lost":
      return "Connection lost. The terminal goes on, and is here again when the connection is back.";
    case "refused":
      return "No terminal could be opened: too many are open, or they are switched off in the settings.";
    default:
      return "It goes on when you leave this page.";
  }
}

function endText(code: number | null, signal: number | null): string {
  if (signal !== null) return `The shell was ended by signal ${signal}.`;
  return code ? `The shell has ended with exit code ${code}.` : "The terminal has ended.";
}
