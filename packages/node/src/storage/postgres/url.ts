import { check } from "@latchkey/mls";

/** The address of a PostgreSQL database. */
export const requirePostgresUrl = check("an address like postgres://user@host/database", (value) =>
  typeof value === "string" && /^postgres(?:ql)?:\/\//.test(value) && URL.canParse(value) ? value : undefined,
);
