/** Which entries of the palette fit what was typed, best first. */

/** Higher is better, null is no fit. Each word must start a word of `text`, or else be inside it, or be its letters in order. */
export function score(query: string, text: string): number | null {
  const target = text.toLowerCase();
  let total = 0;
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const at = target.indexOf(word);
    if (at === 0) total += 4;
    else if (at > 0 && !/[\p{L}\p{N}]/u.test(target.charAt(at - 1))) total += 3;
    else if (at > 0) total += 2;
    else if (word.length > 2 && isSubsequence(word, target)) total += 0.5;
    else return null;
  }
  return total;
}

function isSubsequence(word: string, text: string): boolean {
  let at = -1;
  for (const letter of word) {
    at = text.indexOf(letter, at + 1);
    if (at < 0) return false;
  }
  return true;
}

/** The entries that fit, best first; those that fit alike keep their order. */
export function rank<T>(query: string, entries: readonly T[], textOf: (entry: T) => string): T[] {
  return entries
    .map((entry) => ({ entry, score: score(query, textOf(entry)) }))
    .filter((scored): scored is { entry: T; score: number } => scored.score !== null)
    .sort((a, b) => b.score - a.score)
    .map((scored) => scored.entry);
}
