/** Ranking of the palette's entries by what was typed. */

/** Higher is better, null is no match. Each word must be in `text`, best at its start or at the start of a word. */
export function score(query: string, text: string): number | null {
  const target = text.toLowerCase();
  let total = 0;
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const at = target.indexOf(word);
    if (at === 0) total += 4;
    else if (at > 0 && !/[\p{L}\p{N}]/u.test(target.charAt(at - 1))) total += 3;
    else if (at > 0) total += 2;
    else return null;
  }
  return total;
}

/** The entries that match, best first; equal matches keep their order. */
export function rank<T>(query: string, entries: readonly T[], textOf: (entry: T) => string): T[] {
  return entries
    .map((entry) => ({ entry, score: score(query, textOf(entry)) }))
    .filter((scored): scored is { entry: T; score: number } => scored.score !== null)
    .sort((a, b) => b.score - a.score)
    .map((scored) => scored.entry);
}
