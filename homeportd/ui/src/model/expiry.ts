/** The expiry of a share, as a choice of the person. */

export type ExpiryChoice = "1h" | "24h" | "7d" | "never" | "custom";

export interface Expiry {
  choice: ExpiryChoice;
  /** Local time as `<input type="datetime-local">` has it; used when the choice is `custom`. */
  custom: string;
}

const HOUR_MS = 3_600_000;
const DURATIONS_MS: Record<string, number> = { "1h": HOUR_MS, "24h": 24 * HOUR_MS, "7d": 7 * 24 * HOUR_MS };

/** The time of expiry; null for never, undefined while a custom time is missing or unreadable. */
export function expiryDate(expiry: Expiry, now: Date): Date | null | undefined {
  if (expiry.choice === "never") return null;
  const duration = DURATIONS_MS[expiry.choice];
  if (duration !== undefined) return new Date(now.getTime() + duration);
  const date = new Date(expiry.custom);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** The expiry as the API takes it. A duration is sent as a duration, so that the agent's clock counts. */
export function expiryRequest(expiry: Expiry): string {
  if (expiry.choice !== "custom") return expiry.choice;
  return new Date(expiry.custom).toISOString().replace(/\.\d+Z$/, "Z");
}

/** What is wrong with the choice, or null. */
export function expiryError(expiry: Expiry, now: Date): string | null {
  const date = expiryDate(expiry, now);
  if (date === undefined) return "Choose a day and a time.";
  if (date !== null && date.getTime() <= now.getTime()) return "That time has passed. Choose a later one.";
  return null;
}
