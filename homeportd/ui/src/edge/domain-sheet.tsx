import { useState } from "preact/hooks";
import { notify } from "../browser/notices";
import { Dialog } from "../components/dialog";
import { Field } from "../components/field";
import { ProblemBox } from "../components/problem-box";
import { sortDomains } from "../model/domains";
import { attempt } from "../net/attempt";
import type { Problem } from "../net/problem";
import { closeSheet, navigate } from "../state/route";
import { addDomain } from "./edge-api";
import { domains, reservations } from "./edge-state";

/** Adds a domain that leads to a reserved name; the page behind shows the DNS record to make. */
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
      closeSheet();
    }, setProblem);
    if (!done) setBusy(false);
  };

  return (
    <Dialog title="Add a domain" onClose={closeSheet}>
      {names.length === 0 ? (
        <div class="space-y-4">
          <p>A domain leads to a reserved HTTP name, and none is reserved yet.</p>
          <button
            type="button"
            class="button-main"
            onClick={() => navigate({ name: "reserve", kind: "http", label: "" })}
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
