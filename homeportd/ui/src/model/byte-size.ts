const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes with two figures: "3.1 GB", "220 GB". Powers of 1024, as memory is sold. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 9.95 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** "3.1 of 16 GB": the unit once, when both have the same. */
export function formatUsage(used: number, total: number): string {
  const [usedText, totalText] = [formatBytes(used), formatBytes(total)];
  const [number = "", unit = ""] = usedText.split(" ");
  return totalText.endsWith(` ${unit}`) ? `${number} of ${totalText}` : `${usedText} of ${totalText}`;
}
