/** The event stream: a WebSocket that reconnects by itself and resumes after the last event that it received. */

import type { EventMessage } from "../api/types";
import { backoff } from "./backoff";

/** The agent sends `system` every few seconds, so a longer silence is a dead connection that TCP has not noticed. */
const SILENCE_MS = 20_000;

export interface SocketHandlers {
  event: (event: EventMessage) => void;
  /** Called when connected; not resumed: events were missed, so everything must be read anew. */
  connected: (resumed: boolean) => void;
  /** Called when the connection is lost or fails; the next attempt comes at `retryAt` (ms since the epoch). */
  lost: (retryAt: number) => void;
}

export class EventSocket {
  private socket: WebSocket | null = null;
  private position = "";
  private failures = 0;
  private timer = 0;
  private silenceTimer = 0;
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

  /** Ends a series of failures: what was to be read has been read, so the next attempts come soon again. */
  settle(): void {
    this.failures = 0;
  }

  /** Connects anew without resuming, since what was to be read could not be: events alone would not complete it. */
  startOver(): void {
    if (this.stopped) return;
    this.position = "";
    this.lose();
  }

  /** Connects at once instead of waiting; does nothing while connected. */
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
    this.awaitMessage();
    socket.onmessage = (message) => {
      if (this.socket === socket) this.receive(message.data);
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lose();
    };
  }

  private receive(text: unknown): void {
    this.awaitMessage();
    const event = JSON.parse(String(text)) as EventMessage;
    if (event.type === "hello") {
      // Not resumed: the position starts here. Resumed: the replayed events move it.
      if (event.data.resumed) this.settle();
      else this.position = `${event.data.epoch}:${event.data.id}`;
      this.handlers.connected(event.data.resumed);
      return;
    }
    if (event.id !== null && this.position) {
      this.position = `${this.position.slice(0, this.position.lastIndexOf(":"))}:${event.id}`;
    }
    this.handlers.event(event);
  }

  /** Restarts the time limit for the next message. */
  private awaitMessage(): void {
    window.clearTimeout(this.silenceTimer);
    this.silenceTimer = window.setTimeout(() => this.lose(), SILENCE_MS);
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
    window.clearTimeout(this.silenceTimer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }
}
