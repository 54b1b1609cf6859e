/** The settings that may be changed in the dashboard, as the sections of the page share them. */

import { useEffect, useState } from "preact/hooks";
import type { Preferences, PreferencesChange } from "../api/types";
import { notify } from "../browser/notices";
import { changePreferences, getPreferences } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";

/** Changes settings and says `done`; returns the problem, or null. */
export type Change = (body: PreferencesChange, done: string) => Promise<Problem | null>;

/** The settings, null until they are read; the problem of reading them; and what changes them. */
export function usePreferences(): { known: Preferences | null; problem: Problem | null; change: Change } {
  const [known, setKnown] = useState<Preferences | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    void attempt(async () => setKnown(await getPreferences()), setProblem);
  }, []);
  const change: Change = async (body, done) => {
    let failed: Problem | null = null;
    await attempt(
      async () => {
        setKnown(await changePreferences(body));
        notify(done);
      },
      (found) => {
        failed = found;
      },
    );
    return failed;
  };
  return { known, problem, change };
}
