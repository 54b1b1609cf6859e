/** An action that the palette offers. */
export interface PaletteEntry {
  id: string;
  /** The verb and its object. The search looks in this and in `about`. */
  label: string;
  about: string;
  run: () => void;
}
