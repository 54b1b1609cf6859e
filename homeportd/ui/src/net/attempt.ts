/** One way to handle requests that fail: the login page for a login that has ended, the caller's own way otherwise. */

import { Problem } from "./problem";

let showLogin: (problem: Problem) => void = () => {};

/** Names what shows the login page. */
export function onUnauthorized(handler: (problem: Problem) => void): void {
  showLogin = handler;
}

/** Shows the login page. */
export const handleUnauthorized = (problem: Problem): void => showLogin(problem);

/**
 * Does `work` and returns whether it succeeded. Status 401 shows the login page, any other problem goes to `show`.
 * Throws what is no Problem: that is a mistake in this program.
 */
export async function attempt(work: () => Promise<void>, show: (problem: Problem) => void): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) handleUnauthorized(error);
    else show(error);
    return false;
  }
}
