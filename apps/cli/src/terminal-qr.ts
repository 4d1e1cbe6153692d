import type { Invite } from "@latchkey/client";
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

/**
 * The QR code of an invite as lines of text. Without colours the light modules are what is drawn, so that the code is
 * dark on light on the usual dark terminal; most readers take it either way round.
 */
export function terminalQr(invite: Invite, style: Style): string {
  const coloured = invite.toQR("terminal");
  if (style.colour) return coloured;
  return coloured.replace(COLOUR_CODES, "").replace(/[ █▀▄]/g, (block) => INVERTED[block] ?? block);
}
