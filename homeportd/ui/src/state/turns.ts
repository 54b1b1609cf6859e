/** Reads that overlap: what was asked for earlier must not take the place of what is newer. */

/** Says, once, whether what it was taken for may still be shown. */
export type Turn = () => boolean;

/**
 * For one thing that is read again and again. A turn is taken before each read and used with its answer; it is over
 * once a later one was used. Who changes the thing by hand takes a turn and uses it at once.
 */
export function turns(): () => Turn {
  let taken = 0;
  let used = 0;
  return () => {
    taken += 1;
    const mine = taken;
    return () => {
      if (mine < used) return false;
      used = mine;
      return true;
    };
  };
}
