/** The stream of events: one WebSocket that heals by itself and goes on where it stopped. */

import type { AgentEvent } from "../model/types";
import { backoff } from "./backoff";

/** The agent sends `system` every few seconds, so a longer silence is a dead line that TCP has not noticed. */
const SILENCE_MS = 20_000;

export interface SocketHandlers {
  event: (event: AgentEvent) => void;
  /** Connected; when not resumed, everything must be fetched anew. */
  live: (resumed: boolean) => void;
  /** Not connected; the next attempt comes at `retryAt` (milliseconds since the epoch). */
  lost: (retryAt: number) => void;
}

export class EventSocket {
  private socket: WebSocket | null = null;
  private position = "";
  private failures = 0;
  private timer = 0;
  private silence = 0;
  private stopped = true;

  constructor(private readonly handlers: SocketHandlers) {}

  start(): void {
    this.stopped = false;
    window.addEventListener("online", this.retryNow);
    document.addEventListener("visibilitychange", this.retryNow);
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    window.removeEventListener("online", this.retryNow);
    document.removeEventListener("visibilitychange", this.retryNow);
    this.drop();
  }

  /** What was to be fetched has come: the next break is the first one again. */
  settle(): void {
    this.failures = 0;
  }

  /** What was to be fetched did not come, so that events alone would not tell how things are: connects anew. */
  startOver(): void {
    if (this.stopped) return;
    this.position = "";
    this.lose();
  }

  /** Tries at once instead of waiting; nothing to do while connected. */
  retryNow = (): void => {
    if (this.stopped || document.hidden || this.socket !== null) return;
    this.failures = 0;
    this.connect();
  };

  private connect(): void {
    this.drop();
    const url = new URL("/api/events", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (this.position) url.searchParams.set("since", this.position);
    const socket = new WebSocket(url);
    this.socket = socket;
    this.listen();
    socket.onmessage = (message) => {
      if (this.socket === socket) this.receive(message.data);
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lose();
    };
  }

  private receive(text: unknown): void {
    this.listen();
    const event = JSON.parse(String(text)) as AgentEvent;
    if (event.type === "hello") {
      // Not resumed: what follows is counted from here. Resumed: the replay moves the position.
      if (event.data.resumed) this.settle();
      else this.position = `${event.data.epoch}:${event.data.id}`;
      this.handlers.live(event.data.resumed);
      return;
    }
    if (event.id !== null && this.position) {
      this.position = `${this.position.slice(0, this.position.lastIndexOf(":"))}:${event.id}`;
    }
    this.handlers.event(event);
  }

  /** Starts the wait for the next message anew. */
  private listen(): void {
    window.clearTimeout(this.silence);
    this.silence = window.setTimeout(() => this.lose(), SILENCE_MS);
  }

  private lose(): void {
    this.drop();
    const wait = backoff(this.failures, Math.random());
    this.failures += 1;
    this.timer = window.setTimeout(() => this.connect(), wait);
    this.handlers.lost(Date.now() + wait);
  }

  private drop(): void {
    window.clearTimeout(this.timer);
    window.clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }
}
