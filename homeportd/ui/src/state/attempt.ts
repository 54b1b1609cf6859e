/** What asks the agent may fail: told in one way, wherever it was asked for. */

import { Problem } from "../net/client";
import { fail } from "./store";

/**
 * Whether `work` went well. Shows the login page when that is what is needed; any other problem goes to `show`.
 * What is no answer of the agent's is a mistake of ours, and thrown on.
 */
export async function attempt(work: () => Promise<void>, show: (problem: Problem) => void): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) fail(error);
    else show(error);
    return false;
  }
}
