/** Text for times, in the person's own time zone, with a 24-hour clock. */

const DAY_MS = 86_400_000;

const clock = (date: Date) =>
  `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;

const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** Whole calendar days from `now` to `date`: 0 is today, 1 tomorrow, -1 yesterday. */
function daysBetween(date: Date, now: Date): number {
  // A day with a clock change has 23 or 25 hours, so the quotient is rounded.
  return Math.round((midnight(date) - midnight(now)) / DAY_MS);
}

/** "today 14:00", "tomorrow 14:00", "Tuesday 14:00", "3 Dec 14:00", "3 Jan 2027 14:00". */
export function formatDateTime(date: Date, now: Date): string {
  return `${formatDay(date, now)} ${clock(date)}`;
}

function formatDay(date: Date, now: Date): string {
  const days = daysBetween(date, now);
  if (days === 0) return "today";
  if (days === 1) return "tomorrow";
  if (days === -1) return "yesterday";
  // "Tuesday" means the coming Tuesday; a day a week ahead needs its date.
  if (days > 1 && days < 7) return date.toLocaleDateString("en-GB", { weekday: "long" });
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year });
}

/** "until tomorrow 14:00", "expired yesterday 14:00", or "no end" for null. */
export function formatExpiry(expiresAt: string | null, now: Date): string {
  if (expiresAt === null) return "no end";
  const date = new Date(expiresAt);
  return `${date.getTime() > now.getTime() ? "until" : "expired"} ${formatDateTime(date, now)}`;
}

/** An age: "just now", "4 min ago", "3 h ago", then the day. */
export function formatAge(iso: string, now: Date): string {
  const date = new Date(iso);
  const minutes = Math.floor((now.getTime() - date.getTime()) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 12 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return formatDateTime(date, now);
}

/** The time of a log row, with seconds; with the day unless that is today. */
export function formatLogTime(iso: string, now: Date): string {
  const date = new Date(iso);
  const time = `${clock(date)}:${String(date.getSeconds()).padStart(2, "0")}`;
  return daysBetween(date, now) === 0 ? time : `${formatDay(date, now)} ${time}`;
}

/** The value of an `<input type="datetime-local">`: local time without a zone, to the minute. */
export function toDateTimeLocal(date: Date): string {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}
