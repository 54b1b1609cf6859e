/** Allowed networks as a person types them: checked, and with their host bits set to zero as the agent does. */

export const MAX_NETWORKS = 64;

export interface ParsedNetworks {
  networks: string[];
  /** What is wrong with the first one that is wrong, and how to write it; or null. */
  error: string | null;
}

/** Reads addresses and CIDR blocks that are separated by spaces, commas, semicolons or new lines. */
export function parseNetworks(text: string): ParsedNetworks {
  const networks: string[] = [];
  for (const word of text.split(/[\s,;]+/).filter(Boolean)) {
    const { network, error } = parseNetwork(word);
    if (error !== null) return { networks, error };
    if (!networks.includes(network)) networks.push(network);
  }
  const tooMany = `At most ${MAX_NETWORKS} networks; these are ${networks.length}.`;
  return { networks, error: networks.length > MAX_NETWORKS ? tooMany : null };
}

function parseNetwork(word: string): { network: string; error: string | null } {
  const [address = "", prefix, ...more] = word.split("/");
  const width = address.includes(":") ? 128 : 32;
  const groups = width === 128 ? ipv6Groups(address) : ipv4Groups(address);
  if (groups === null || more.length > 0) {
    return {
      network: word,
      error: `“${word}” is not a network. Write it like 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32.`,
    };
  }
  if (prefix === undefined) return { network: word, error: null };
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > width) {
    return { network: word, error: `“${word}”: the part after the slash must be 0 to ${width}.` };
  }
  const base = baseAddress(groups, Number(prefix), width);
  return { network: base === null ? word : `${base}/${prefix}`, error: null };
}

function ipv4Groups(address: string): number[] | null {
  const parts = address.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return null;
  return parts.map(Number);
}

function ipv6Groups(address: string): number[] | null {
  const halves = address.split("::");
  if (halves.length > 2) return null;
  const read = (half: string) => (half === "" ? [] : half.split(":"));
  const [head, tail] = [read(halves[0] ?? ""), read(halves[1] ?? "")];
  const given = head.length + tail.length;
  if (halves.length === 2 ? given > 7 : given !== 8) return null;
  const groups = [...head, ...Array<string>(8 - given).fill("0"), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return groups.map((group) => Number.parseInt(group, 16));
}

/** The network's first address, where `groups` has bits set beyond the prefix; else null. */
function baseAddress(groups: number[], prefix: number, width: number): string | null {
  const size = width === 32 ? 8 : 16;
  const masked = groups.map((group, index) => {
    const kept = Math.min(size, Math.max(0, prefix - index * size));
    return group & ~((1 << (size - kept)) - 1);
  });
  if (masked.every((group, index) => group === groups[index])) return null;
  if (width === 32) return masked.join(".");
  const used = masked.findLastIndex((group) => group !== 0) + 1;
  const text = masked
    .slice(0, used)
    .map((group) => group.toString(16))
    .join(":");
  return used > 6 ? masked.map((group) => group.toString(16)).join(":") : `${text}::`;
}
