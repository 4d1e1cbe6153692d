// First of all: an invite leaves the address bar.
import "./arrival.ts";
import { render } from "preact";
import { App } from "./app.tsx";
import { openExisting } from "./session.ts";
import { preferredLanguage, setLanguage } from "./texts/index.ts";

const LANGUAGE = "latchkey-language";

const root = document.querySelector("#app");
if (root === null) throw new Error("the document of the page is of another version");
await setLanguage(localStorage.getItem(LANGUAGE) ?? preferredLanguage(navigator.languages));
render(<App />, root);
if (globalThis.isSecureContext) void openExisting();
