import { useEffect, useState } from "preact/hooks";

/** Width of the quiet zone around the code, in modules (ISO/IEC 18004: four). */
const QUIET_ZONE = 4;

/** A QR code. Its encoder is loaded lazily. */
export function QrCode({ text }: { text: string }) {
  const [modules, setModules] = useState<boolean[][] | "failed" | null>(null);
  useEffect(() => {
    import("uqr").then(
      ({ encode }) => setModules(encode(text, { border: QUIET_ZONE, ecc: "M" }).data),
      () => setModules("failed"),
    );
  }, [text]);
  if (modules === "failed")
    return <p class="mt-3 text-small text-danger">The QR code did not load. Copy the link instead.</p>;
  if (modules === null) return <p class="mt-3 h-52 text-small text-soft">Drawing the QR code …</p>;
  const path = modules
    .flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])))
    .join("");
  return (
    <svg
      class="appear mx-auto mt-3 aspect-square w-52 rounded-box border border-line bg-paper"
      viewBox={`0 0 ${modules.length} ${modules.length}`}
      shape-rendering="crispEdges"
      role="img"
      aria-label={`QR code of ${text}`}
    >
      <path d={path} fill="#000" />
    </svg>
  );
}
