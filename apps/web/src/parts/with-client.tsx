import type { WebClient } from "@latchkey/client/web";
import type { ComponentChildren } from "preact";
import { beginAnew, openExisting, useSession } from "../session.ts";
import { texts } from "../texts/index.ts";
import { go } from "../route.ts";
import { Notice } from "./layout.tsx";

/** Shows what needs a client once there is one, and what is in the way otherwise. */
export function WithClient({ children }: { readonly children: (client: WebClient) => ComponentChildren }) {
  const { kind, client, message } = useSession();
  const t = texts();
  if (client !== undefined) return <>{children(client)}</>;
  switch (kind) {
    case "looking":
      return <p class="quiet-wait">{t.loading}</p>;
    case "forgotten":
      return (
        <Notice title={t.forgottenTitle} text={t.forgottenText} button={{ text: t.beginAnew, press: beginAnew }} />
      );
    case "failed":
      return (
        <Notice
          title={t.failedTitle}
          text={message ?? ""}
          button={{ text: t.retry, press: () => void openExisting() }}
        />
      );
    default:
      return (
        <Notice title={t.noInvite} text={t.noInviteText} button={{ text: t.scan, press: () => go("/scan") }} back="/" />
      );
  }
}
