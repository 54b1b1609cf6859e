import { useState } from "preact/hooks";
import type { Preferences } from "../api/types";
import { Check } from "../components/check";
import { Chips } from "../components/chips";
import { ProblemBox } from "../components/problem-box";
import { durationText } from "../model/servers";
import type { Problem } from "../net/problem";
import type { Change } from "./preferences";
import { SettingsSection } from "./settings-section";

const IDLE_TIMES = [0, 1800, 7200, 14_400, 86_400] as const;

interface Props {
  known: Preferences;
  change: Change;
}

/** Settings of dev servers and terminals. */
export function RunSettings({ known, change }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const idle = known.servers.idle_stop_s;
  const times = [...new Set([...IDLE_TIMES, idle])].sort((a, b) => a - b);
  const set = async (body: Parameters<Change>[0], done: string) => setProblem(await change(body, done));
  return (
    <SettingsSection
      id="servers"
      title="Servers and terminals"
      about="A server that nobody uses is stopped, and starts again at the first visit of somebody whom its share lets in. Each server may have a time of its own."
    >
      <Chips
        legend="Stop servers that are unused for"
        chips={times.map((seconds) => ({
          value: String(seconds),
          label: seconds === 0 ? "Never" : durationText(seconds),
        }))}
        value={String(idle)}
        onChange={(value) =>
          void set({ servers: { idle_stop_s: Number(value) } }, "Servers stop after that time from now on.")
        }
      />
      <div class="mt-3">
        <Check
          label="Terminals in the dashboard"
          checked={known.terminal.enabled}
          onChange={(enabled) =>
            void set(
              { terminal: { enabled } },
              enabled ? "Repos have terminals again." : "Terminals are off, and those that were open ended.",
            )
          }
        />
      </div>
      {problem && <ProblemBox problem={problem} />}
    </SettingsSection>
  );
}
