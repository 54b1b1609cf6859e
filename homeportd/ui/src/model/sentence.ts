/** The API's words as a sentence of their own: "the record is missing" becomes "The record is missing."; names stay. */
export function asSentence(text: string): string {
  const upper = /^\S+\.\S/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return text === "" || /[.!?]$/.test(text) ? upper : `${upper}.`;
}
