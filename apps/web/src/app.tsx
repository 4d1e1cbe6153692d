import { useEffect, useRef } from "preact/hooks";
import { Notice } from "./parts/layout.tsx";
import { useRoute, type Route } from "./route.ts";
import { Devices } from "./screens/devices.tsx";
import { About } from "./screens/about.tsx";
import { GroupScreen } from "./screens/group.tsx";
import { Home } from "./screens/home.tsx";
import { InviteScreen } from "./screens/invite.tsx";
import { NewGroup } from "./screens/new-group.tsx";
import { Scan } from "./screens/scan.tsx";
import { Share } from "./screens/share.tsx";
import { useSession } from "./session.ts";
import { texts } from "./texts/index.ts";

/** The page. */
export function App() {
  const route = useRoute();
  const key = JSON.stringify(route);
  useFocus(key);
  if (!globalThis.isSecureContext) {
    return <Notice title={texts().insecureTitle} text={texts().insecureText} />;
  }
  return <Screen key={key} route={route} />;
}

/** After a change of screens the keyboard and the screen reader begin at its heading. */
function useFocus(key: string): void {
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current) document.querySelector<HTMLElement>("h1")?.focus();
    isFirst.current = false;
  }, [key]);
}

function Screen({ route }: { readonly route: Route }) {
  const session = useSession();
  if (session.state?.kind === "elsewhere") {
    return (
      <Notice
        title={texts().elsewhereTitle}
        text={texts().elsewhereText}
        button={{ text: texts().retry, press: () => location.reload() }}
      />
    );
  }
  switch (route.screen) {
    case "invite":
      return <InviteScreen />;
    case "scan":
      return <Scan />;
    case "new":
      return <NewGroup />;
    case "devices":
      return <Devices />;
    case "group":
      return <GroupScreen id={route.id} />;
    case "about":
      return <About id={route.id} />;
    case "share":
      return <Share id={route.id} />;
    case "home":
      return <Home />;
  }
}
