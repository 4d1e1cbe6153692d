import type { Invite } from "@latchkey/client";
import type { Style } from "./style.ts";

const COLOUR_CODES = /\u001b\[[\d;]*m/g;

const INVERTED: Readonly<Record<string, string>> = { " ": "█", "█": " ", "▀": "▄", "▄": "▀" };

/**
 * The QR code of an invite as lines of text. Without colours the light modules are what is drawn, so that the code is
 * dark on light on the usual dark terminal; most readers take it either way round.
 */
export function terminalQr(invite: Invite, style: Style): string {
  const coloured = invite.toQR("terminal");
  if (style.colour) return coloured;
  return coloured.replace(COLOUR_CODES, "").replace(/[ █▀▄]/g, (block) => INVERTED[block] ?? block);
}
