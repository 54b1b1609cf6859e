/** Text of the API as a sentence: "the record is missing" becomes "The record is missing."; a name at the start stays as it is. */
export function toSentence(text: string): string {
  const upper = /^\S+\.\S/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return text === "" || /[.!?]$/.test(text) ? upper : `${upper}.`;
}
