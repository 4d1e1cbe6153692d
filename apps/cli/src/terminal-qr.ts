import type { Style } from "./style.ts";

const COLOUR_CODES = /\u001b\[[\d;]*m/g;

const INVERTED: Readonly<Record<string, string>> = { " ": "█", "█": " ", "▀": "▄", "▄": "▀" };

/** Columns and rows of a terminal. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Whether lines of text fit into a terminal, with a line for the prompt; where its size is unknown they do. */
export function fits(text: string, size: TerminalSize | undefined): boolean {
  if (size === undefined) return true;
  const lines = text.replace(COLOUR_CODES, "").trimEnd().split("\n");
  return lines.length < size.rows && lines.every((line) => line.length <= size.columns);
}

/** Background of a terminal's letters, as far as it is known. */
export type Background = "dark" | "light" | undefined;

/** Background of a terminal in COLORFGBG: numbers of the letters' colour and, last, of the background. */
export function backgroundOf({ COLORFGBG }: Readonly<Record<string, string | undefined>>): Background {
  const colour = /^\d{1,2};(?:[a-z]+;)?(\d{1,2})$/.exec(COLORFGBG ?? "")?.[1];
  if (colour === undefined || Number(colour) > 15) return undefined;
  return Number(colour) === 7 || Number(colour) > 8 ? "light" : "dark";
}

/** Anything that is shown as a QR code: an invite, or a device. */
export interface Drawable {
  toQR(format: "svg" | "terminal"): string;
}

/**
 * A QR code as lines of text, dark on light. Without colours the light modules are drawn, because most terminals are
 * dark. On a terminal that says it is light, the dark modules are drawn. Where nothing is known, see `isReversible`.
 */
export function terminalQr(drawable: Drawable, style: Style, background?: Background): string {
  const coloured = drawable.toQR("terminal");
  if (style.colour) return coloured;
  const plain = coloured.replace(COLOUR_CODES, "");
  return background === "light" ? plain : plain.replace(/[ █▀▄]/g, (block) => INVERTED[block] ?? block);
}

/** Whether a code may come out light on dark, which some readers do not take: without colours, on an unknown background. */
export function isReversible(style: Style, background: Background): boolean {
  return !style.colour && background === undefined;
}
