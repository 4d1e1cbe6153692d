/** One tab of a browser under test; everything is done by expressions that the page evaluates. */
export interface Tab {
  goto(url: string): Promise<void>;
  /** The value of an expression, awaited, as JSON carries it. Rejects with the page's error. */
  evaluate<T>(expression: string): Promise<T>;
  reload(): Promise<void>;
  close(): Promise<void>;
  /** A PNG of the page; only engines that are looked at have it. */
  readonly screenshot?: (file: string, look?: Look) => Promise<void>;
  /** Chromium alone: addresses of all requests so far, those of workers among them. */
  readonly requests?: () => readonly string[];
  /** Chromium alone: a command of its debugging protocol. */
  readonly command?: (method: string, parameters?: Record<string, unknown>) => Promise<unknown>;
}

/** How a page is looked at. */
export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  readonly print?: boolean;
  readonly fullPage?: boolean;
}

/** A browser with one profile. */
export interface Browser {
  newTab(): Promise<Tab>;
  /** Ends its processes without warning. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** One kind of browser. */
export interface Engine {
  readonly name: "chromium" | "firefox" | "webkit";
  /** Starts it on a profile folder; `flags` are further arguments of its command. */
  launch(profile: string, flags?: readonly string[]): Promise<Browser>;
}

/** Longest wait for something that a page is about to do, in milliseconds; the machine may be busy. */
const WAIT_MS = 30_000;

/** Waits until an expression of the page is truthy and returns it. Rejects with `what` and the text of the page. */
export async function until<T>(tab: Tab, expression: string, what: string = expression): Promise<T> {
  const found = await tab.evaluate<{ value: T } | { text: string }>(`(async () => {
    const end = Date.now() + ${WAIT_MS};
    for (;;) {
      const value = await (${expression});
      if (value) return { value };
      if (Date.now() > end) return { text: document.body.innerText.slice(0, 600) };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })()`);
  if ("value" in found) return found.value;
  throw new Error(`the page never came to: ${what}; it shows: ${found.text}`);
}
