import { foundWords, retryWords, stateDetail, stateOf, wantsRecord } from "../model/domains";
import { asSentence } from "../model/sentence";
import type { DnsRecord, Domain } from "../model/types";
import { Command } from "../parts/command";
import { CopyButton } from "../parts/copy-button";
import { CopyIcon, OpenIcon, PlusIcon, RefreshIcon, TrashIcon } from "../parts/icons";
import { Menu, type MenuItem } from "../parts/menu";
import { NoMatch } from "../parts/no-match";
import { Prose } from "../parts/problem-box";
import { copyText } from "../state/actions";
import { notify } from "../state/notice";
import { open } from "../state/route";
import { filter, now } from "../state/store";
import { askToRemoveDomain, check } from "./actions";
import { Dot, Lesson, TONE_WORDS, type Tone } from "./parts";
import { domains } from "./state";

const TONES: Record<ReturnType<typeof stateOf>["tone"], Tone> = {
  works: "public",
  waits: "password",
  broken: "broken",
};
const openNew = () => open({ name: "add-domain" });

export function Domains() {
  const all = domains.value;
  if (all === null) return <p class="text-soft">This edge maps no domains.</p>;
  if (all.length === 0) return <NoDomains />;
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = all.filter((each) => {
    const text = `${each.domain} ${each.name} ${each.state} ${stateOf(each).word}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return (
    <div class="space-y-4">
      <button type="button" class="button-plain" onClick={openNew}>
        <PlusIcon /> Add a domain
      </button>
      {shown.length === 0 && <NoMatch what="domain" />}
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

/** A domain, where it leads and whether it works; what is to be done lies open below. */
function Row({ domain }: { domain: Domain }) {
  const { word, tone } = stateOf(domain);
  const detail = stateDetail(domain, now.value);
  return (
    <li data-row={`domain ${domain.domain}`} class="appear rounded-box border border-line bg-paper">
      <div class="grid grid-cols-[0.625rem_minmax(0,1fr)_auto_auto] items-center gap-x-2.5 px-4 py-1.5 max-sm:pr-2 sm:gap-x-3">
        <span class="self-start pt-2.5">
          <Dot tone={TONES[tone]} filled={tone !== "waits"} />
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
            <span class={`font-semibold ${TONE_WORDS[TONES[tone]]}`}>{word}</span>
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
      {(wantsRecord(domain) || domain.error) && <ToDo domain={domain} />}
    </li>
  );
}

/** The record that would mend it, what is wrong, and what DNS says instead. */
function ToDo({ domain }: { domain: Domain }) {
  const [first, ...others] = domain.records;
  const broken = domain.state === "error";
  const trouble = domain.error && (
    <div class="[overflow-wrap:anywhere]">
      <p class={broken ? "font-medium text-danger" : ""}>
        <Prose text={asSentence(domain.error.detail)} />
      </p>
      <p class={broken ? "mt-0.5" : "mt-0.5 text-soft"}>
        <Prose text={asSentence(domain.error.fix)} /> {retryWords(domain, now.value)}
      </p>
    </div>
  );
  return (
    <div class="flex flex-col gap-3 border-t border-line px-4 py-3">
      {broken && trouble}
      {wantsRecord(domain) && first && (
        <div>
          <p class="mb-1.5">Make this record where the DNS of the domain is kept:</p>
          <RecordBox record={first} />
        </div>
      )}
      {wantsRecord(domain) && others.length > 0 && (
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
      {!broken && trouble}
      <p class="text-small text-soft [overflow-wrap:anywhere]">{foundWords(domain, now.value)}</p>
      <button type="button" class="button-plain w-full sm:hidden" onClick={() => void check(domain)}>
        <RefreshIcon /> Check again
      </button>
    </div>
  );
}

/** One DNS record, each part to be copied by itself: that is how DNS forms take it. */
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
    { label: "Remove …", icon: <TrashIcon />, run: () => askToRemoveDomain(domain) },
  ];
}

function NoDomains() {
  return (
    <Lesson
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
    </Lesson>
  );
}
