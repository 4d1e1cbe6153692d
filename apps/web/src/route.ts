import { useEffect, useState } from "preact/hooks";

/** Where a person is. */
export type Route =
  | { readonly screen: "home" | "invite" | "new" | "scan" | "devices" }
  | { readonly screen: "group" | "about" | "share"; readonly id: string };

/** The screen of a path. */
export function routeOf(path: string): Route {
  const [, first = "", id = "", last = ""] = path.split("/");
  if (/^i(%23.*)?$/i.test(first)) return { screen: "invite" };
  if (first === "new" || first === "scan" || first === "devices") return { screen: first };
  if (first === "g" && /^[0-9a-f]{2,128}$/.test(id)) {
    if (last === "about") return { screen: "about", id };
    return { screen: last === "invite" ? "share" : "group", id };
  }
  return { screen: "home" };
}

const listeners = new Set<() => void>();

/** Goes to another screen; `replace` leaves no way back to this one. */
export function go(path: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  for (const listener of listeners) listener();
}

/** The route of the page, as it changes. */
export function useRoute(): Route {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const look = () => setPath(location.pathname);
    listeners.add(look);
    globalThis.addEventListener("popstate", look);
    return () => {
      listeners.delete(look);
      globalThis.removeEventListener("popstate", look);
    };
  }, []);
  return routeOf(path);
}
