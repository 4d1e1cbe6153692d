import { styleText, type InspectColor } from "node:util";

/** How human output is drawn; every function returns its text unchanged where colours are off. */
export interface Style {
  readonly colour: boolean;
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  name(text: string): string;
}

/** Colours are on for a terminal, unless NO_COLOR is set to anything or TERM is `dumb` (no-color.org). */
export function wantsColour(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  return isTerminal && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

/** The style of a stream with or without colours. */
export function createStyle(colour: boolean): Style {
  const paint = (format: InspectColor) => (text: string) =>
    colour ? styleText(format, text, { validateStream: false }) : text;
  return {
    colour,
    bold: paint("bold"),
    dim: paint("dim"),
    good: paint("green"),
    bad: paint("red"),
    name: paint("cyan"),
  };
}
