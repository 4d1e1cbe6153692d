import { en, type Plural, type Texts } from "./en.ts";

/** Languages by their tag, English first; the others come when they are chosen. */
const LANGUAGES: Readonly<Record<string, () => Promise<Texts>>> = {
  en: async () => en,
  de: async () => (await import("./de.ts")).de,
  es: async () => (await import("./es.ts")).es,
  pt: async () => (await import("./pt.ts")).pt,
  zh: async () => (await import("./zh.ts")).zh,
};

/** The tags of all languages. */
export const LANGUAGE_TAGS: readonly string[] = Object.keys(LANGUAGES);

let current: Texts = en;
let tag = "en";

/** The texts in the language that was chosen. */
export function texts(): Texts {
  return current;
}

/** Tag of the language that was chosen, for dates and numbers. */
export function languageTag(): string {
  return tag;
}

/** The language that a person prefers, of those that there are; English otherwise. */
export function preferredLanguage(preferred: readonly string[]): string {
  const base = preferred.map((one) => one.toLowerCase().split("-", 1)[0] ?? "");
  return base.find((one) => Object.hasOwn(LANGUAGES, one)) ?? "en";
}

/** Sets the language of the page. */
export async function setLanguage(wanted: string): Promise<void> {
  const load = LANGUAGES[wanted];
  if (load === undefined) return;
  current = await load();
  tag = wanted;
  document.documentElement.lang = wanted;
}

/** A text with its values. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A text that counts. */
export function count(plural: Plural, n: number): string {
  const isOne = new Intl.PluralRules(tag).select(n) === "one";
  return fill(isOne ? plural.one : plural.other, { n: new Intl.NumberFormat(tag).format(n) });
}

/** A date and time in the language of the page. */
export function dateText(ns: bigint, style: "short" | "time" | "full" = "full"): string {
  const date = new Date(Number(ns / 1_000_000n));
  const options = {
    short: { day: "numeric", month: "short" },
    time: { hour: "2-digit", minute: "2-digit" },
    full: { dateStyle: "medium", timeStyle: "short" },
  } as const satisfies Record<string, Intl.DateTimeFormatOptions>;
  return new Intl.DateTimeFormat(tag, options[style]).format(date);
}
