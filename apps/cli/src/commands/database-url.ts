import { InvalidArgumentError } from "commander";

/** Checks the address of a PostgreSQL database. */
export function parseDatabase(text: string): string {
  if (/^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError("Expected an address like postgres://user@host/database.");
}
