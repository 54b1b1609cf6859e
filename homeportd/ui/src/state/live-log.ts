/** A log of the agent's that is shown while it grows: read page by page, and again when an event tells of a new row. */

import { useEffect, useState } from "preact/hooks";
import type { EventMessage } from "../api/types";
import { appendOlder, type LogWindow, mergeNewest } from "../model/log-window";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { disconnection } from "./agent";
import { onEvent } from "./events";

const BURST_MS = 250;

interface LiveLog<T extends { id: number }> {
  log: LogWindow<T> | null;
  problem: Problem | null;
  loadOlder: () => void;
}

/**
 * The log of `subject`. `read` gives the page of rows older than row `before`, without it the newest; `isNews` says
 * whether an event tells of a row of this log. Such events are not replayed, so a reconnect reads the newest page.
 */
export function useLiveLog<T extends { id: number }>(
  subject: string | number | undefined,
  read: (before?: number) => Promise<readonly T[]>,
  isNews: (event: EventMessage) => boolean,
): LiveLog<T> {
  const [log, setLog] = useState<LogWindow<T> | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const load = (before?: number) =>
    attempt(async () => {
      const page = await read(before);
      setLog((known) =>
        before === undefined || known === null ? mergeNewest(known, page) : appendOlder(known, page),
      );
      setProblem(null);
    }, setProblem);
  const connected = disconnection.value === null;
  useEffect(() => {
    if (connected) void load();
  }, [subject, connected]);
  useEffect(() => {
    // The row of an event has no id yet, so the event is only the sign to read; a burst is read at once.
    let timer = 0;
    const unsubscribe = onEvent((event) => {
      if (timer !== 0 || !isNews(event)) return;
      timer = window.setTimeout(() => {
        timer = 0;
        void load();
      }, BURST_MS);
    });
    return () => {
      unsubscribe();
      window.clearTimeout(timer);
    };
  }, [subject]);
  return { log, problem, loadOlder: () => void load(log?.rows.at(-1)?.id) };
}
