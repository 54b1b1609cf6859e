/** A share while it is edited: its fields, what is wrong with them, the request, and the effect as a sentence. */

import type { Port, ShareMode, ShareRequest } from "../api/types";
import { type Expiry, expiryDate, expiryError, expiryRequest } from "./expiry";
import { parseNetworks } from "./networks";
import { hasExpired } from "./port-text";
import { formatDateTime, toDateTimeLocal } from "./time-format";

export const MAX_USES_LIMIT = 1_000_000;

export interface ShareDraft {
  mode: ShareMode;
  password: string;
  /** The port has a password already, which an empty field keeps. */
  hasPassword: boolean;
  expiry: Expiry;
  networks: string;
  maxUses: string;
  /** What the server is told as its own name: `localhost`, `keep`, or a name. Empty is `localhost`. */
  hostHeader: string;
  /** Whether names below the port's own lead there too. */
  subdomains: boolean;
}

/** For each field that is wrong, how to correct it. */
export type ShareDraftErrors = Partial<
  Record<"password" | "expiry" | "networks" | "maxUses" | "hostHeader", string>
>;

/** A draft that changes nothing of the share of `port`; for a port that is not shared, a day with a password. */
export function shareDraftOf(port: Port, now: Date): ShareDraft {
  const { share } = port;
  const shared = share.mode !== "private";
  const custom = share.expires_at ? new Date(share.expires_at) : new Date(now.getTime() + 86_400_000);
  return {
    mode: shared ? share.mode : "password",
    password: "",
    hasPassword: share.mode === "password",
    expiry: {
      choice: shared && !hasExpired(port, now) ? (share.expires_at === null ? "never" : "custom") : "24h",
      custom: toDateTimeLocal(custom),
    },
    networks: share.allow.join(", "),
    maxUses: share.max_uses === null ? "" : String(share.max_uses),
    hostHeader: share.host_header === "localhost" ? "" : share.host_header,
    subdomains: share.subdomains,
  };
}

export function validateShareDraft(draft: ShareDraft, now: Date): ShareDraftErrors {
  const errors: ShareDraftErrors = {};
  if (draft.mode === "private") return errors;
  if (draft.mode === "password" && draft.password === "" && !draft.hasPassword) {
    errors.password = "Type a password, or let Homeport make one.";
  }
  const expiry = expiryError(draft.expiry, now);
  if (expiry !== null) errors.expiry = expiry;
  const networks = parseNetworks(draft.networks).error;
  if (networks !== null) errors.networks = networks;
  if (!HOST_HEADER.test(hostHeaderOf(draft))) {
    errors.hostHeader = "Write keep, a name such as myapp.test:3000, or leave it empty for localhost.";
  }
  if (draft.mode === "password" && draft.maxUses.trim() !== "") {
    const uses = Number(draft.maxUses);
    if (!Number.isInteger(uses) || uses < 1 || uses > MAX_USES_LIMIT) {
      errors.maxUses = "Write a whole number from 1, or leave it empty for no limit.";
    }
  }
  return errors;
}

const HOST_HEADER = /^([\w-]+(\.[\w-]+)*|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?$/i;

const hostHeaderOf = (draft: ShareDraft): string => draft.hostHeader.trim() || "localhost";

/** The body of the request for a draft without errors. */
export function shareRequestOf(draft: ShareDraft): ShareRequest {
  const { mode } = draft;
  const common = {
    expires: expiryRequest(draft.expiry),
    allow: parseNetworks(draft.networks).networks,
    host_header: hostHeaderOf(draft),
    subdomains: draft.subdomains,
  };
  if (mode !== "password") return { mode, ...common };
  return {
    mode,
    ...common,
    ...(draft.password === "" ? {} : { password: draft.password }),
    max_uses: draft.maxUses.trim() === "" ? null : Number(draft.maxUses),
  };
}

/** The effect of saving the draft: "Anyone with the password can open this until …". */
export function describeShareDraft(draft: ShareDraft, now: Date): string {
  if (draft.mode === "private") return "Only you can open this, after you log in.";
  const date = expiryDate(draft.expiry, now);
  if (date === undefined) return "Choose when this ends.";
  const who = draft.mode === "password" ? "Anyone with the password" : "Anyone with the link";
  const until = date === null ? "until you stop sharing" : `until ${formatDateTime(date, now)}`;
  return `${who}${networksText(parseNetworks(draft.networks).networks)} can open this ${until}.${usesText(draft)}`;
}

function networksText(networks: string[]): string {
  if (networks.length === 0) return "";
  if (networks.length === 1) return `, from ${networks[0]} only,`;
  return `, from ${networks.length} networks only,`;
}

function usesText(draft: ShareDraft): string {
  const uses = Number(draft.maxUses);
  if (draft.mode !== "password" || draft.maxUses.trim() === "" || !Number.isInteger(uses) || uses < 1)
    return "";
  return uses === 1 ? " The password works once." : ` The password works ${uses} times.`;
}

/** Without 0/O, 1/l/I, so that it can be read out over a phone. 57^16 is 93 bits. */
const PASSWORD_ALPHABET = "23456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
const PASSWORD_LENGTH = 16;

/** A random password; `random` fills the array like `crypto.getRandomValues`. */
export function generatePassword(
  random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>,
): string {
  const letters: string[] = [];
  // Bytes at or above the largest multiple of the alphabet's size are dropped, so that no letter is likelier.
  const limit = 256 - (256 % PASSWORD_ALPHABET.length);
  while (letters.length < PASSWORD_LENGTH) {
    for (const byte of random(new Uint8Array(PASSWORD_LENGTH * 2))) {
      if (byte < limit && letters.length < PASSWORD_LENGTH) {
        letters.push(PASSWORD_ALPHABET.charAt(byte % PASSWORD_ALPHABET.length));
      }
    }
  }
  return letters.join("");
}
