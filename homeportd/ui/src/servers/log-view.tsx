import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { OutputLine } from "../api/types";
import { copyText } from "../browser/clipboard";
import { notify } from "../browser/notices";
import { Check } from "../components/check";
import { CopyIcon, DownIcon, SearchIcon } from "../components/icons";
import { plainText, styledLine } from "../model/ansi";
import { matchingLines, Rows, splitAtMatches } from "../model/output-log";

const ROW_PX = 20;
const PADDING_PX = 12;
/** Rows that are drawn above and below what is seen. */
const MARGIN_ROWS = 30;

/** Lines of output, of which those that are seen are drawn: it follows the end unless one has scrolled up. */
export function LogView({ lines, label }: { lines: readonly OutputLine[]; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  const ruler = useRef<HTMLSpanElement>(null);
  const following = useRef(true);
  const [isFollowing, setFollowing] = useState(true);
  const [view, setView] = useState({ top: 0, height: 600, columns: 80 });
  const [wraps, setWraps] = useState(false);
  const [query, setQuery] = useState("");
  const [match, setMatch] = useState(0);

  const rows = useMemo(() => new Rows(lines, wraps ? view.columns : null), [lines, wraps, view.columns]);
  const matches = useMemo(() => matchingLines(lines, query), [lines, query]);
  const current = matches.length === 0 ? -1 : (matches[Math.min(match, matches.length - 1)] ?? -1);

  const measure = () => {
    const [element, letter] = [box.current, ruler.current];
    if (element === null || letter === null) return;
    const width = letter.getBoundingClientRect().width / 10;
    const columns = Math.max(10, Math.floor((element.clientWidth - 2 * PADDING_PX) / width));
    setView({ top: element.scrollTop, height: element.clientHeight, columns });
  };
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const size = new ResizeObserver(measure);
    size.observe(element);
    return () => size.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = box.current;
    if (element !== null && following.current) element.scrollTop = element.scrollHeight;
  }, [rows, view.height]);

  const follow = (yes: boolean) => {
    following.current = yes;
    setFollowing(yes);
  };
  const onScroll = () => {
    const element = box.current;
    if (element === null) return;
    follow(element.scrollHeight - element.scrollTop - element.clientHeight < ROW_PX);
    measure();
  };
  const show = (line: number) => {
    follow(false);
    box.current?.scrollTo({ top: Math.max(0, rows.startOf(line) * ROW_PX - view.height / 2) });
  };
  const step = (by: number) => {
    if (matches.length === 0) return;
    const next = (match + by + matches.length) % matches.length;
    setMatch(next);
    show(matches[next] ?? 0);
  };
  const search = (text: string) => {
    setQuery(text);
    const found = matchingLines(lines, text);
    setMatch(Math.max(0, found.length - 1));
    const last = found.at(-1);
    if (last !== undefined) show(last);
  };
  const copyAll = async () => {
    const text = lines.map((line) => `${plainText(line.text)}\n`).join("");
    notify((await copyText(text)) ? `${lines.length} lines copied.` : "The browser does not allow copying.");
  };

  const first = rows.lineAt(Math.max(0, Math.floor(view.top / ROW_PX) - MARGIN_ROWS));
  const last = rows.lineAt(Math.ceil((view.top + view.height) / ROW_PX) + MARGIN_ROWS);
  return (
    <div>
      <div class="mb-2 flex flex-wrap items-center gap-x-2 gap-y-1">
        <search class="relative min-w-0 flex-1 basis-52 max-sm:basis-full sm:max-w-72">
          <span class="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-soft">
            <SearchIcon />
          </span>
          <input
            type="search"
            class="field border-line pl-9"
            placeholder="Search"
            aria-label="Search the output"
            autocomplete="off"
            spellcheck={false}
            value={query}
            onInput={(event) => search(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter") return;
              event.preventDefault();
              step(event.shiftKey ? 1 : -1);
            }}
          />
        </search>
        {query !== "" && (
          <>
            <p class="text-small whitespace-nowrap text-soft" role="status">
              {matches.length === 0
                ? "no line"
                : `${Math.min(match, matches.length - 1) + 1} of ${matches.length} lines`}
            </p>
            <button type="button" class="button-quiet" onClick={() => step(-1)}>
              Earlier
            </button>
            <button type="button" class="button-quiet" onClick={() => step(1)}>
              Later
            </button>
          </>
        )}
        <span class="flex-1 max-sm:hidden" />
        <Check label="Wrap" checked={wraps} onChange={setWraps} />
        <button type="button" class="button-quiet" onClick={() => void copyAll()}>
          <CopyIcon /> Copy all
        </button>
      </div>
      <div class="relative">
        <section
          ref={box}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keys.
          tabIndex={0}
          aria-label={label}
          data-log
          class="relative h-[70dvh] overflow-auto rounded-box border border-line bg-paper font-mono text-small overscroll-contain max-sm:h-[58dvh]"
          onScroll={onScroll}
        >
          <span ref={ruler} aria-hidden="true" class="invisible absolute whitespace-pre">
            0000000000
          </span>
          <div
            class={wraps ? "" : "w-max min-w-full"}
            style={{
              height: `${rows.total * ROW_PX}px`,
              paddingTop: `${rows.startOf(first) * ROW_PX}px`,
              boxSizing: "border-box",
            }}
          >
            {lines.slice(first, last + 1).map((line, index) => (
              <Line
                key={line.offset}
                text={line.text}
                time={line.time}
                query={query}
                isCurrent={first + index === current}
                wraps={wraps}
              />
            ))}
          </div>
        </section>
        {!isFollowing && (
          <button
            type="button"
            class="button-main absolute right-4 bottom-4 shadow-float"
            onClick={() => {
              follow(true);
              box.current?.scrollTo({ top: box.current.scrollHeight });
            }}
          >
            <DownIcon /> Follow
          </button>
        )}
      </div>
    </div>
  );
}

interface LineProps {
  text: string;
  time: string;
  query: string;
  isCurrent: boolean;
  wraps: boolean;
}

/** One line with its colours and the matches of the search. */
function Line({ text, time, query, isCurrent, wraps }: LineProps) {
  return (
    <div
      title={new Date(time).toLocaleString()}
      class={`min-h-5 px-3 leading-5 ${wraps ? "break-all whitespace-pre-wrap" : "whitespace-pre"} ${isCurrent ? "bg-accent-wash" : ""}`}
    >
      {styledLine(text).map((part, index) => (
        <span key={index} class={part.style}>
          {splitAtMatches(part.text, query).map((piece, at) =>
            at % 2 === 1 ? (
              <mark key={at} class="bg-password-dot/40 text-ink">
                {piece}
              </mark>
            ) : (
              piece
            ),
          )}
        </span>
      ))}
    </div>
  );
}
