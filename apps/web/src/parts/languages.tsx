import { LANGUAGE_TAGS, languageTag } from "../texts/index.ts";

/** The page's languages, each by its own name. */
export function Languages() {
  const nameOf = (tag: string): string => new Intl.DisplayNames(tag, { type: "language" }).of(tag) ?? tag;
  const choose = (tag: string): void => {
    localStorage.setItem("latchkey-language", tag);
    location.reload();
  };
  return (
    <nav class="languages">
      {LANGUAGE_TAGS.map((tag) => (
        <button
          key={tag}
          type="button"
          lang={tag}
          aria-current={tag === languageTag() ? "true" : undefined}
          onClick={() => choose(tag)}
        >
          {nameOf(tag)}
        </button>
      ))}
    </nav>
  );
}
