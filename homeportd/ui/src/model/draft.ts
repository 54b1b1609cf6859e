/** A share as it is being edited in the sheet, and the words for what it will do. */

import { hasEnded } from "./describe";
import { type Expiry, expiryDate, expiryProblem, expiryRequest } from "./expiry";
import { readNetworks } from "./networks";
import type { Mode, Port, ShareRequest } from "./types";
import { toLocalInput, whenWords } from "./when";

export const MAX_USES_LIMIT = 1_000_000;

export interface Draft {
  mode: Mode;
  password: string;
  /** The port has a password already, which an empty field keeps. */
  hasPassword: boolean;
  expiry: Expiry;
  networks: string;
  maxUses: string;
}

/** Which fields stand in the way, with what to do about each. */
export type DraftProblems = Partial<Record<"password" | "expiry" | "networks" | "maxUses", string>>;

/** The draft that changes nothing of `port`, or a day's password share where there is none yet. */
export function draftOf(port: Port, now: Date): Draft {
  const { share } = port;
  const shared = share.mode !== "private";
  const custom = share.expires_at ? new Date(share.expires_at) : new Date(now.getTime() + 86_400_000);
  return {
    mode: shared ? share.mode : "password",
    password: "",
    hasPassword: share.mode === "password",
    expiry: {
      choice: shared && !hasEnded(port, now) ? (share.expires_at === null ? "never" : "custom") : "24h",
      custom: toLocalInput(custom),
    },
    networks: share.allow.join(", "),
    maxUses: share.max_uses === null ? "" : String(share.max_uses),
  };
}

export function draftProblems(draft: Draft, now: Date): DraftProblems {
  const problems: DraftProblems = {};
  if (draft.mode === "private") return problems;
  if (draft.mode === "password" && draft.password === "" && !draft.hasPassword) {
    problems.password = "Type a password, or let Homeport make one.";
  }
  const expiry = expiryProblem(draft.expiry, now);
  if (expiry !== null) problems.expiry = expiry;
  const networks = readNetworks(draft.networks).problem;
  if (networks !== null) problems.networks = networks;
  if (draft.mode === "password" && draft.maxUses.trim() !== "") {
    const uses = Number(draft.maxUses);
    if (!Number.isInteger(uses) || uses < 1 || uses > MAX_USES_LIMIT) {
      problems.maxUses = "Write a whole number from 1, or leave it empty for no limit.";
    }
  }
  return problems;
}

/** The body of the request. Call it only for a draft without problems. */
export function draftRequest(draft: Draft): ShareRequest {
  const request: ShareRequest = {
    mode: draft.mode,
    expires: expiryRequest(draft.expiry),
    allow: readNetworks(draft.networks).networks,
  };
  if (draft.mode === "password") {
    if (draft.password !== "") request.password = draft.password;
    request.max_uses = draft.maxUses.trim() === "" ? null : Number(draft.maxUses);
  }
  return request;
}

/** What will be true once the draft is saved: "Anyone with the password can open this until …". */
export function draftSentence(draft: Draft, now: Date): string {
  if (draft.mode === "private") return "Only you can open this, after you log in.";
  const date = expiryDate(draft.expiry, now);
  if (date === undefined) return "Choose when this ends.";
  const who = draft.mode === "password" ? "Anyone with the password" : "Anyone with the link";
  const until = date === null ? "until you stop sharing" : `until ${whenWords(date, now)}`;
  return `${who}${fromWords(readNetworks(draft.networks).networks)} can open this ${until}.${usesWords(draft)}`;
}

function fromWords(networks: string[]): string {
  if (networks.length === 0) return "";
  if (networks.length === 1) return `, from ${networks[0]} only,`;
  return `, from ${networks.length} networks only,`;
}

function usesWords(draft: Draft): string {
  const uses = Number(draft.maxUses);
  if (draft.mode !== "password" || draft.maxUses.trim() === "" || !Number.isInteger(uses) || uses < 1)
    return "";
  return uses === 1 ? " The password works once." : ` The password works ${uses} times.`;
}

/** Without 0/O, 1/l/I: what is read out over a phone arrives. 57^16 is 93 bits. */
const PASSWORD_LETTERS = "23456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
const PASSWORD_LENGTH = 16;

/** A random password; `random` fills the array like `crypto.getRandomValues`. */
export function generatePassword(
  random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>,
): string {
  const letters: string[] = [];
  // Bytes at or above the largest multiple of the alphabet are thrown away, so that no letter is likelier.
  const limit = 256 - (256 % PASSWORD_LETTERS.length);
  while (letters.length < PASSWORD_LENGTH) {
    for (const byte of random(new Uint8Array(PASSWORD_LENGTH * 2))) {
      if (byte < limit && letters.length < PASSWORD_LENGTH) {
        letters.push(PASSWORD_LETTERS.charAt(byte % PASSWORD_LETTERS.length));
      }
    }
  }
  return letters.join("");
}
