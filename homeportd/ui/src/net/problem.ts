/** An error for a person: what happened, what to do, and the technical cause for those who want it. */
export class Problem extends Error {
  constructor(
    /** Of HTTP; 0 where there was no answer. */
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly fix: string,
    readonly cause: string,
  ) {
    super(title);
  }
}
