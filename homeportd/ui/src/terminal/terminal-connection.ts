/** The connection to a terminal: output with back-pressure, what is typed, and going on after it was lost. */

import { backoff } from "../net/backoff";

/** Bytes that are shown before the agent is told; it sends 512 kB at most without that. */
const CONFIRM_BYTES = 128 * 1024;
const CLOSED_ENDED = 1000;
const CLOSED_LOGGED_OUT = 4001;

interface Hello {
  type: "hello";
  terminal: string;
  offset: number;
  resumed: boolean;
}
type Message =
  | Hello
  | { type: "skip"; offset: number }
  | { type: "ended"; code: number | null; signal: number | null };

export interface TerminalHandlers {
  /** Shows output and calls `shown` when that is done. */
  output: (data: Uint8Array, shown: () => void) => void;
  /** Called before output that does not follow what was shown. */
  clear: () => void;
  connected: (terminal: string) => void;
  lost: () => void;
  /** The program has ended, by an exit code or a signal; both null: unknown. */
  ended: (code: number | null, signal: number | null) => void;
  loggedOut: () => void;
  /** There was never a connection: the agent refuses one, or is down. */
  refused: () => void;
}

export class TerminalConnection {
  private socket: WebSocket | null = null;
  private received = 0;
  private shown = 0;
  private confirmed = 0;
  private failures = 0;
  private timer = 0;
  private closed = false;
  private over = false;

  constructor(
    private readonly repo: string,
    private terminal: string | null,
    private size: { columns: number; rows: number },
    private readonly handlers: TerminalHandlers,
  ) {
    this.connect();
  }

  type(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  resize(columns: number, rows: number): void {
    this.size = { columns, rows };
    this.say({ type: "resize", columns, rows });
  }

  /** Ends the program with all that runs in the terminal. */
  end(): void {
    this.say({ type: "end" });
  }

  /** Lets go of the terminal, which goes on. */
  close(): void {
    this.closed = true;
    window.clearTimeout(this.timer);
    this.socket?.close();
  }

  private say(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private connect(): void {
    const url = new URL(`/api/repos/${encodeURIComponent(this.repo)}/terminal`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("columns", String(this.size.columns));
    url.searchParams.set("rows", String(this.size.rows));
    if (this.terminal !== null) {
      url.searchParams.set("terminal", this.terminal);
      if (this.received > 0) url.searchParams.set("shown", String(this.shown));
    }
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.obey(JSON.parse(data) as Message);
      else this.show(new Uint8Array(data as ArrayBuffer));
    };
    socket.onclose = (event) => this.lose(event.code);
  }

  private obey(message: Message): void {
    if (message.type === "ended") {
      this.over = true;
      this.handlers.ended(message.code, message.signal);
      return;
    }
    if (message.type === "hello") {
      this.terminal = message.terminal;
      this.failures = 0;
      if (!message.resumed) this.handlers.clear();
      this.handlers.connected(message.terminal);
    }
    this.received = message.offset;
    this.shown = message.offset;
    this.confirmed = message.offset;
  }

  private show(data: Uint8Array): void {
    this.received += data.byteLength;
    const end = this.received;
    const socket = this.socket;
    this.handlers.output(data, () => {
      if (socket !== this.socket) return;
      this.shown = end;
      if (end - this.confirmed < CONFIRM_BYTES) return;
      this.confirmed = end;
      this.say({ type: "shown", offset: end });
    });
  }

  private lose(code: number): void {
    this.socket = null;
    if (this.closed || this.over) return;
    if (code === CLOSED_LOGGED_OUT) this.handlers.loggedOut();
    else if (code === CLOSED_ENDED) this.handlers.ended(null, null);
    else if (this.terminal === null && this.failures >= 2) this.handlers.refused();
    else {
      this.handlers.lost();
      this.timer = window.setTimeout(() => this.connect(), backoff(this.failures, Math.random()));
      this.failures += 1;
    }
  }
}
