import type { ComponentChildren } from "preact";
import { go } from "../route.ts";
import { useSession } from "../session.ts";
import { texts } from "../texts/index.ts";

/** One thing to press. */
export interface Action {
  readonly text: string;
  readonly press: () => void;
}

/** A link within the page. */
export function Link({ to, class: name, label, children }: LinkProps) {
  return (
    <a
      href={to}
      class={name}
      aria-label={label}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly label?: string;
  readonly children: ComponentChildren;
}

/** Frame of a screen: a bar with its title, and the rest. */
export function Screen({ title, back, actions, class: name = "", children }: ScreenProps) {
  return (
    <div class={`screen ${name}`}>
      <header class="bar">
        {back !== undefined && (
          <Link to={back} class="icon-button" label={texts().back}>
            <Icon name="back" />
          </Link>
        )}
        <h1 tabIndex={-1} dir="auto">
          {title}
        </h1>
        <div class="bar-actions">{actions}</div>
      </header>
      <Connection />
      <main>{children}</main>
    </div>
  );
}

interface ScreenProps {
  readonly title: string;
  readonly back?: string;
  readonly actions?: ComponentChildren;
  readonly class?: string;
  readonly children: ComponentChildren;
}

function Connection() {
  const { kind, connection, state } = useSession();
  const t = texts();
  if (kind !== "open") return null;
  const isSession = state?.kind === "ready" && !state.isKept;
  return (
    <>
      {isSession && <p class="strip">{t.sessionOnly}</p>}
      <p class="strip" role="status" hidden={connection !== "offline"}>
        {connection === "offline" ? t.offline : ""}
      </p>
    </>
  );
}

/** A screen that says one thing, with one button. */
export function Notice({ title, text, button, back }: NoticeProps) {
  return (
    <div class="screen notice">
      <main class="sheet">
        <Mark />
        <h1 tabIndex={-1}>{title}</h1>
        <p>{text}</p>
        {button !== undefined && (
          <button type="button" class="primary" onClick={button.press}>
            {button.text}
          </button>
        )}
        {back !== undefined && (
          <Link to={back} class="quiet">
            {texts().groups}
          </Link>
        )}
      </main>
    </div>
  );
}

interface NoticeProps {
  readonly title: string;
  readonly text: string;
  readonly button?: Action;
  readonly back?: string;
}

/** The mark of the product. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 64 64" aria-hidden="true">
      <rect width="64" height="64" rx="18" />
      <circle cx="32" cy="24" r="9" />
      <path d="M32 33v18M32 43h8" />
    </svg>
  );
}

const PATHS = {
  back: "M15 5l-7 7 7 7",
  plus: "M12 5v14M5 12h14",
  scan: "M4 8V5a1 1 0 011-1h3M16 4h3a1 1 0 011 1v3M20 16v3a1 1 0 01-1 1h-3M8 20H5a1 1 0 01-1-1v-3M8 12h8",
  invite: "M9 11a3 3 0 100-6 3 3 0 000 6zM3 20c0-3 2.5-5 6-5s6 2 6 5M19 8v6M16 11h6",
  send: "M4 12l16-7-6 16-3-7z",
  info: "M12 8h.01M11 12h1v5h1M12 21a9 9 0 100-18 9 9 0 000 18z",
  device: "M5 5h14v10H5zM3 19h18M9 15v4M15 15v4",
  reply: "M10 7L5 12l5 5M5 12h9a5 5 0 015 5v1",
  close: "M6 6l12 12M18 6L6 18",
} as const;

/** A line drawing; what it stands for is said beside it. */
export function Icon({ name }: { readonly name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The first letter of a name on a ground that follows from an id. */
export function Avatar({ id, name, large = false }: AvatarProps) {
  const hue = Number.parseInt(id.slice(0, 4), 16) % 360;
  const [letter = "?"] = Array.from(name.trim());
  return (
    <span class={large ? "avatar large" : "avatar"} style={{ "--hue": String(hue) }} aria-hidden="true">
      {letter.toUpperCase()}
    </span>
  );
}

interface AvatarProps {
  /** In hex. */
  readonly id: string;
  readonly name: string;
  readonly large?: boolean;
}
