import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { CopyButton } from "../parts/copy-button";
import { QrCode } from "./qr-code";

interface Props {
  url: string;
  /** What is edited above is not saved yet. */
  pending: boolean;
  /** It was saved just now, so the link is what is wanted next. */
  reveal: boolean;
}

/** The link to hand out: to copy, or to point a phone at. */
export function LinkBox({ url, pending, reveal }: Props) {
  const box = useRef<HTMLElement>(null);
  const [qr, setQr] = useState(false);
  // The code takes room below, so it is brought into view as well.
  useLayoutEffect(() => {
    if (reveal || qr) box.current?.scrollIntoView({ block: "end" });
  }, [reveal, qr]);
  return (
    <section ref={box} aria-labelledby="link" class="appear border-t border-line pt-4">
      <h3 id="link" class="label">
        Link {pending && <span class="text-small font-normal text-soft">works by what was saved last</span>}
      </h3>
      <div class="flex flex-wrap gap-2">
        <a
          class="target flex min-w-0 flex-1 basis-56 items-center rounded-box border border-line bg-ground px-3 font-mono text-small text-accent [overflow-wrap:anywhere] hover:underline"
          href={url}
          target="_blank"
          rel="noopener"
        >
          {url}
        </a>
        <div class="flex gap-2">
          <CopyButton text={url} what="the link" />
          <button type="button" class="button-plain" aria-expanded={qr} onClick={() => setQr(!qr)}>
            {qr ? "Hide QR" : "QR code"}
          </button>
        </div>
      </div>
      {qr && <QrCode text={url} />}
    </section>
  );
}
