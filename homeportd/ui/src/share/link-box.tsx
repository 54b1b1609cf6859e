import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { CopyButton } from "../components/copy-button";
import { QrCode } from "./qr-code";

interface Props {
  url: string;
  /** Whether the draft above differs from what is saved. */
  pending: boolean;
  /** Whether to scroll to the link, which is wanted next after saving. */
  reveal: boolean;
}

/** The link of a share, to copy or as a QR code for a phone. */
export function LinkBox({ url, pending, reveal }: Props) {
  const box = useRef<HTMLElement>(null);
  const [qr, setQr] = useState(false);
  // The code makes the box longer.
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
