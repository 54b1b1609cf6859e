import { useState } from "preact/hooks";
import type { Server } from "../api/types";
import { notify } from "../browser/notices";
import { Check } from "../components/check";
import { Chips } from "../components/chips";
import { Dialog } from "../components/dialog";
import { Field } from "../components/field";
import { ProblemBox } from "../components/problem-box";
import { isAlive } from "../model/servers";
import { setServer } from "../net/agent-api";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { closeSheet } from "../state/route";
import { servers, start } from "../state/servers";

const FORM_ID = "server";
const IDLE_TIMES = [
  { value: "", label: "As for all" },
  { value: "0", label: "Never" },
  { value: "1800", label: "30 min" },
  { value: "7200", label: "2 h" },
  { value: "86400", label: "24 h" },
] as const;

/** The sheet of a server: its command, before it is run, its number, and when it starts and stops by itself. */
export function ServerSheet({ id }: { id: string }) {
  const server = servers.value.get(id);
  if (server && !server.by_hand) return <Form server={server} />;
  return (
    <Dialog title="Server" onClose={closeSheet}>
      <p class="text-soft">
        {server ? "It was started by hand, and is left alone." : "There is no such server any more."}
      </p>
    </Dialog>
  );
}

function Form({ server }: { server: Server }) {
  const [command, setCommand] = useState(server.command ?? "");
  const [port, setPort] = useState(String(server.number ?? ""));
  const [autoStart, setAutoStart] = useState(server.auto_start);
  const [restart, setRestart] = useState(server.restart);
  const [idle, setIdle] = useState<string>(String(server.idle_stop_s ?? ""));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const idleTimes = IDLE_TIMES.some(({ value }) => value === idle)
    ? IDLE_TIMES
    : [...IDLE_TIMES, { value: idle, label: `${idle} s` }];
  const number = port.trim() === "" ? null : Number(port);
  const wrongPort = number !== null && !(Number.isInteger(number) && number >= 1024 && number <= 65535);

  const save = async (thenStart: boolean) => {
    setBusy(true);
    setProblem(null);
    await attempt(async () => {
      const text = command.trim();
      await setServer(server.id, {
        command: text === "" || text === server.detected_command ? null : text,
        auto_start: autoStart,
        restart,
        idle_stop_s: idle === "" ? null : Number(idle),
        ...(number === null || number === server.number ? {} : { port: number }),
      });
      if (thenStart) {
        if (await start(server, server.missing !== null, setProblem)) closeSheet();
        return;
      }
      notify(`The settings of ${server.name} are kept.`);
      closeSheet();
    }, setProblem);
    setBusy(false);
  };
  return (
    <Dialog
      title={`Server ${server.name}`}
      about={server.directory ? `in ${server.directory}` : undefined}
      onClose={closeSheet}
      footer={
        <div class="flex flex-wrap justify-end gap-2 max-sm:flex-col-reverse">
          <button
            type="submit"
            form={FORM_ID}
            class={isAlive(server) ? "button-main" : "button-plain"}
            disabled={busy || wrongPort}
          >
            Save
          </button>
          {!isAlive(server) && (
            <button
              type="button"
              class="button-main"
              disabled={busy || wrongPort || command.trim() === ""}
              onClick={() => void save(true)}
            >
              {server.missing ? "Install and start" : "Save and start"}
            </button>
          )}
        </div>
      }
    >
      <form
        id={FORM_ID}
        class="space-y-5"
        onSubmit={(event) => {
          event.preventDefault();
          void save(false);
        }}
      >
        <div>
          <Field
            label="Start command"
            style="font-mono"
            help={
              server.detected_command === null
                ? "Run in a shell in the repo. Nothing was detected."
                : `Detected in ${server.source}, as ${server.detected_command}`
            }
            value={command}
            onInput={setCommand}
          />
          {server.detected_command !== null && command.trim() !== server.detected_command && (
            <button
              type="button"
              class="button-quiet -ml-3"
              onClick={() => setCommand(server.detected_command ?? "")}
            >
              Use the detected one
            </button>
          )}
        </div>
        <Field
          label="Port"
          numeric
          style="sm:max-w-40"
          help="It keeps this number. Empty: chosen at the first start."
          error={wrongPort ? "A number from 1024 to 65535." : undefined}
          value={port}
          onInput={setPort}
        />
        <div>
          <Check label="Start it when the machine starts" checked={autoStart} onChange={setAutoStart} />
          <Check label="Start it again after a crash" checked={restart} onChange={setRestart} />
        </div>
        <Chips legend="Stop it when unused for" chips={idleTimes} value={idle} onChange={setIdle} />
        {isAlive(server) && <p class="text-soft">A new command or port counts from the next start on.</p>}
        {problem && <ProblemBox problem={problem} />}
      </form>
    </Dialog>
  );
}
