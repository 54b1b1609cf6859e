/** The address to open after the login. */

/** `next` when it is a path of this origin, else "/". "//host" and "/\host" are other hosts to a browser. */
export function sameOriginPath(next: string | null): string {
  if (next === null || !/^\/(?![/\\])/.test(next)) return "/";
  // Browsers drop tabs and line ends from an address, so "/\t/host" is "//host".
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return /[\u0000-\u001f\\]/.test(next) ? "/" : next;
}
