import type { DnsRecord, Domain } from "../api/types";
import { copyText } from "../browser/clipboard";
import { notify } from "../browser/notices";
import { Command } from "../components/command";
import { CopyButton } from "../components/copy-button";
import { EmptyPage } from "../components/empty-page";
import { CopyIcon, OpenIcon, PlusIcon, RefreshIcon, TrashIcon } from "../components/icons";
import { Menu, type MenuItem } from "../components/menu";
import { NoMatch } from "../components/no-match";
import { CodeText } from "../components/problem-box";
import { StatusDot, TONE_TEXT, type Tone } from "../components/status-dot";
import { describeState, dnsText, needsRecord, retryText, stateDetail } from "../model/domains";
import { toSentence } from "../model/sentence";
import { matchesFilter } from "../model/text-filter";
import { now } from "../state/clock";
import { filter } from "../state/filter";
import { navigate } from "../state/route";
import { check, confirmRemoveDomain } from "./edge-actions";
import { domains } from "./edge-state";

const TONES: Record<ReturnType<typeof describeState>["tone"], Tone> = {
  works: "public",
  waits: "password",
  broken: "error",
};
const openNew = () => navigate({ name: "add-domain" });

export function DomainsPage() {
  const all = domains.value;
  if (all === null) return <p class="text-soft">This edge maps no domains.</p>;
  if (all.length === 0) return <NoDomains />;
  const shown = all.filter((each) => matchesFilter(filter.value, domainSearchText(each)));
  return (
    <div class="space-y-4">
      <button type="button" class="button-plain" onClick={openNew}>
        <PlusIcon /> Add a domain
      </button>
      {shown.length === 0 && <NoMatch what="domain" filter={filter} />}
      {shown.length > 0 && (
        <ul class="space-y-3">
          {shown.map((each) => (
            <Row key={each.domain} domain={each} />
          ))}
        </ul>
      )}
    </div>
  );
}

const domainSearchText = (domain: Domain): string =>
  `${domain.domain} ${domain.name} ${domain.state} ${describeState(domain).label}`;

/** The row of a domain: its state and the name that it leads to; below, what the person has to do. */
function Row({ domain }: { domain: Domain }) {
  const { label, tone } = describeState(domain);
  const detail = stateDetail(domain, now.value);
  return (
    <li data-row={`domain ${domain.domain}`} class="appear rounded-box border border-line bg-paper">
      <div class="grid grid-cols-[0.625rem_minmax(0,1fr)_auto_auto] items-center gap-x-2.5 px-4 py-1.5 max-sm:pr-2 sm:gap-x-3">
        <span class="self-start pt-2.5">
          <StatusDot tone={TONES[tone]} filled={tone !== "waits"} />
        </span>
        <div class="min-w-0">
          <a
            data-row-link
            href={domain.url}
            target="_blank"
            rel="noopener"
            class="block py-1 font-semibold [overflow-wrap:anywhere]"
          >
            {domain.domain}
          </a>
          <p class="text-small text-soft [overflow-wrap:anywhere]">
            <span class={`font-semibold ${TONE_TEXT[TONES[tone]]}`}>{label}</span>
            {detail && ` · ${detail}`} · leads to {domain.name}
          </p>
        </div>
        <button
          type="button"
          class="button-quiet max-sm:hidden"
          aria-label={`Check ${domain.domain}`}
          onClick={() => void check(domain)}
        >
          Check
        </button>
        <Menu row={`domain ${domain.domain}`} label={`More for ${domain.domain}`} items={menuItems(domain)} />
      </div>
      {(needsRecord(domain) || domain.error) && <NextSteps domain={domain} />}
    </li>
  );
}

/** The DNS record to make, what is wrong, and what DNS answers now. */
function NextSteps({ domain }: { domain: Domain }) {
  const [first, ...others] = domain.records;
  const broken = domain.state === "error";
  const error = domain.error && (
    <div class="[overflow-wrap:anywhere]">
      <p class={broken ? "font-medium text-danger" : ""}>
        <CodeText text={toSentence(domain.error.detail)} />
      </p>
      <p class={broken ? "mt-0.5" : "mt-0.5 text-soft"}>
        <CodeText text={toSentence(domain.error.fix)} /> {retryText(domain, now.value)}
      </p>
    </div>
  );
  return (
    <div class="flex flex-col gap-3 border-t border-line px-4 py-3">
      {broken && error}
      {needsRecord(domain) && first && (
        <div>
          <p class="mb-1.5">Make this record where the DNS of the domain is kept:</p>
          <RecordBox record={first} />
        </div>
      )}
      {needsRecord(domain) && others.length > 0 && (
        <details>
          <summary class="target flex w-fit items-center rounded-box text-accent">
            Where that record cannot be made
          </summary>
          <div class="space-y-2">
            {others.map((record) => (
              <RecordBox key={`${record.type} ${record.value}`} record={record} />
            ))}
          </div>
        </details>
      )}
      {!broken && error}
      <p class="text-small text-soft [overflow-wrap:anywhere]">{dnsText(domain, now.value)}</p>
      <button type="button" class="button-plain w-full sm:hidden" onClick={() => void check(domain)}>
        <RefreshIcon /> Check again
      </button>
    </div>
  );
}

/** A DNS record, whose parts are copied one by one, as the forms of DNS providers want them. */
function RecordBox({ record }: { record: DnsRecord }) {
  return (
    <dl class="rounded-box border border-line bg-ground" data-record>
      {(
        [
          ["Type", record.type],
          ["Name", record.name],
          ["Value", record.value],
        ] as const
      ).map(([name, value]) => (
        <div
          key={name}
          class="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-2 border-t border-line pl-3 first:border-t-0 max-sm:py-1 sm:grid-cols-[3.5rem_minmax(0,1fr)_auto]"
        >
          <dt class="text-small text-soft">{name}</dt>
          <dd class="font-mono text-small [overflow-wrap:anywhere] max-sm:col-start-1">{value}</dd>
          <dd class="max-sm:col-start-2 max-sm:row-span-2 max-sm:row-start-1">
            <CopyButton text={value} what={`the record's ${name.toLowerCase()}`} class="button-quiet" />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function menuItems(domain: Domain): MenuItem[] {
  return [
    { label: "Check again", icon: <RefreshIcon />, run: () => void check(domain) },
    {
      label: "Open",
      icon: <OpenIcon />,
      run: () => void window.open(domain.url, "_blank", "noopener"),
    },
    {
      label: "Copy address",
      icon: <CopyIcon />,
      run: () =>
        void copyText(domain.url).then((done) =>
          notify(done ? `Address of ${domain.domain} copied.` : `Copy this: ${domain.url}`),
        ),
    },
    { label: "Remove …", icon: <TrashIcon />, run: () => confirmRemoveDomain(domain) },
  ];
}

function NoDomains() {
  return (
    <EmptyPage
      title="No domain of your own yet"
      about="A domain of yours leads to a reserved name. Homeport shows the DNS record to make, sees when it is there, and gets the certificate."
    >
      <div>
        <button type="button" class="button-main" onClick={openNew}>
          <PlusIcon /> Add a domain
        </button>
      </div>
      <div>
        <p class="mb-1.5">Or in a terminal of this edge:</p>
        <Command text="homeport domains add app.example.org myapp" />
      </div>
    </EmptyPage>
  );
}
