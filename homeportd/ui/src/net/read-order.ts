/** The order of overlapping reads: the answer to an earlier request must not replace a newer one. */

/** Returns whether the answer may still be shown, and if so makes answers to earlier requests outdated. */
export type IsNewest = () => boolean;

export interface ReadOrder {
  /** Call it before each request, and what it returns with the answer. */
  begin: () => IsNewest;
  /** Makes all requests under way outdated: what is shown was changed without one. */
  supersede: () => void;
}

/** For one thing that is read again and again. */
export function readOrder(): ReadOrder {
  let begun = 0;
  let newestShown = 0;
  const begin = () => {
    begun += 1;
    const number = begun;
    return () => {
      if (number < newestShown) return false;
      newestShown = number;
      return true;
    };
  };
  return { begin, supersede: () => void begin()() };
}
