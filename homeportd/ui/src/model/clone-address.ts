/** The folder that a clone of `address` gets, as git names it; empty where the address has no such part. */
export function folderName(address: string): string {
  const path = address
    .trim()
    .replace(/[?#].*$/, "")
    .replace(/\/+$/, "");
  const last = path.split(/[/:]/).pop() ?? "";
  return last.replace(/\.git$/, "");
}
