import { useState } from "preact/hooks";
import { sortDomains } from "../model/domains";
import type { Problem } from "../net/client";
import { Dialog } from "../parts/dialog";
import { Field } from "../parts/field";
import { ProblemBox } from "../parts/problem-box";
import { attempt } from "../state/attempt";
import { notify } from "../state/notice";
import { close, open } from "../state/route";
import { addDomain } from "./calls";
import { domains, reservations } from "./state";

/** A domain and the reserved name it shall lead to; the record to make is shown next. */
export function DomainSheet() {
  const names = reservations.value
    .filter((each) => each.kind === "http" && each.name !== null)
    .map((each) => each.name ?? "")
    .sort((a, b) => a.localeCompare(b));
  const [domain, setDomain] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const name = chosen ?? names[0] ?? "";

  const save = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    const done = await attempt(async () => {
      const made = await addDomain(domain.trim(), name);
      domains.value = sortDomains([
        ...(domains.peek() ?? []).filter((each) => each.domain !== made.domain),
        made,
      ]);
      notify(`${made.domain} is added. Make its DNS record next.`);
      close();
    }, setProblem);
    if (!done) setBusy(false);
  };

  return (
    <Dialog title="Add a domain" onClose={close}>
      {names.length === 0 ? (
        <div class="space-y-4">
          <p>A domain leads to a reserved HTTP name, and none is reserved yet.</p>
          <button
            type="button"
            class="button-main"
            onClick={() => open({ name: "reserve", kind: "http", label: "" })}
          >
            Reserve a name
          </button>
        </div>
      ) : (
        <form class="space-y-5" noValidate onSubmit={save}>
          <Field
            label="Domain"
            help="One that you own, such as app.example.org."
            value={domain}
            onInput={setDomain}
            style="font-mono"
          />
          <div>
            <label class="label" for="leads-to">
              Leads to
            </label>
            <select
              id="leads-to"
              class="field"
              value={name}
              onChange={(event) => setChosen(event.currentTarget.value)}
            >
              {names.map((each) => (
                <option key={each} value={each}>
                  {each}
                </option>
              ))}
            </select>
          </div>
          {problem && <ProblemBox problem={problem} />}
          <button type="submit" class="button-main max-sm:w-full" disabled={busy || domain.trim() === ""}>
            {busy ? "Adding …" : "Add and show its record"}
          </button>
        </form>
      )}
    </Dialog>
  );
}
