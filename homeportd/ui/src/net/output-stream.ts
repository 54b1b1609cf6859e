/** The output of a server as it is printed: lines of JSON in one long answer, asked for anew when it ends. */

import type { OutputLine, Server } from "../api/types";
import { backoff } from "./backoff";

/** Lines that are read before those that come. */
const BEFORE = 5_000;
/** Lines come in bursts: what came within this time is told at once. */
const BURST_MS = 80;

export interface StreamHandlers {
  lines: (lines: OutputLine[]) => void;
  /** Called with false when the stream is lost, and with true when it is there. */
  connected: (connected: boolean) => void;
  /** The login has ended, or there is no such server: nothing more comes. */
  refused: (status: number) => void;
}

/** Follows the output of a server until the returned function is called. */
export function followOutput(server: Server["id"], handlers: StreamHandlers): () => void {
  const stop = new AbortController();
  let end: number | null = null;
  let waiting: OutputLine[] = [];
  let timer = 0;
  const tell = () => {
    timer = 0;
    const lines = waiting;
    waiting = [];
    if (!stop.signal.aborted) handlers.lines(lines);
  };
  const take = (line: OutputLine) => {
    end = line.end;
    waiting.push(line);
    if (timer === 0) timer = window.setTimeout(tell, BURST_MS);
  };

  const once = async () => {
    const query = end === null ? `lines=${BEFORE}` : `since=${end}`;
    const address = `/api/servers/${encodeURIComponent(server)}/output?follow=true&${query}`;
    const response = await fetch(address, { signal: stop.signal });
    if (!response.ok || response.body === null) return response.status;
    handlers.connected(true);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") take(JSON.parse(line) as OutputLine);
    }
    return 200;
  };

  const run = async () => {
    for (let failures = 0; !stop.signal.aborted; failures += 1) {
      const begun = Date.now();
      const status = await once().catch(() => 0);
      if (stop.signal.aborted) return;
      handlers.connected(false);
      if (status === 401 || status === 404) {
        handlers.refused(status);
        return;
      }
      if (Date.now() - begun > 10_000) failures = 0;
      await new Promise((done) => window.setTimeout(done, backoff(failures, Math.random())));
    }
  };
  void run();
  return () => {
    stop.abort();
    window.clearTimeout(timer);
  };
}
