/**
 * What xterm.js needs under a policy that forbids style elements, and style attributes: as long as a terminal is open, what
 * is written there goes by way of the CSSOM, which is allowed.
 */

/** Begins that; returns what ends it. */
export function redirectStyles(): () => void {
  const sheets: CSSStyleSheet[] = [];
  const { setAttribute } = Element.prototype;
  const createElement = document.createElement;
  Element.prototype.setAttribute = function (this: Element, name: string, value: string) {
    if (name === "style" && this instanceof HTMLElement) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
  document.createElement = (name: string, options?: ElementCreationOptions): HTMLElement => {
    if (name !== "style") return createElement.call(document, name, options);
    // Even an empty style element is refused, so another stands in for it.
    const element = createElement.call(document, "span");
    element.hidden = true;
    const sheet = new CSSStyleSheet();
    sheets.push(sheet);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    Object.defineProperty(element, "textContent", { set: (text: string) => sheet.replaceSync(text) });
    return element;
  };
  return () => {
    Element.prototype.setAttribute = setAttribute;
    document.createElement = createElement;
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => !sheets.includes(sheet));
  };
}
