/** Whether each word of the filter is somewhere in `text`, in upper or lower case. */
export function matchesFilter(filter: string, text: string): boolean {
  const haystack = text.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => haystack.includes(word));
}
