/** The choice of a share's end. */

export type ExpiryChoice = "1h" | "24h" | "7d" | "never" | "custom";

export interface Expiry {
  choice: ExpiryChoice;
  /** Local date-time as `<input type="datetime-local">` holds it; counts only when custom. */
  custom: string;
}

const HOUR_MS = 3_600_000;
const SPANS: Record<string, number> = { "1h": HOUR_MS, "24h": 24 * HOUR_MS, "7d": 7 * 24 * HOUR_MS };

/** The instant of the end, null for never, undefined while a custom date is missing or unreadable. */
export function expiryDate(expiry: Expiry, now: Date): Date | null | undefined {
  if (expiry.choice === "never") return null;
  const span = SPANS[expiry.choice];
  if (span !== undefined) return new Date(now.getTime() + span);
  const date = new Date(expiry.custom);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** What the API is told. A span goes as a span, so that the agent's clock counts and not this one. */
export function expiryRequest(expiry: Expiry): string {
  if (expiry.choice !== "custom") return expiry.choice;
  return new Date(expiry.custom).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Why the choice cannot be sent, or null. */
export function expiryProblem(expiry: Expiry, now: Date): string | null {
  const date = expiryDate(expiry, now);
  if (date === undefined) return "Choose a day and a time.";
  if (date !== null && date.getTime() <= now.getTime()) return "That time has passed. Choose a later one.";
  return null;
}
