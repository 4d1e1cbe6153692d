import type { WebClient } from "@latchkey/client/web";
import { useEffect, useState } from "preact/hooks";
import { Languages } from "../parts/languages.tsx";
import { Icon, Screen } from "../parts/layout.tsx";
import { useLoaded } from "../parts/use-loaded.ts";
import { WithClient } from "../parts/with-client.tsx";
import { dateText, fill, texts } from "../texts/index.ts";

/** The devices of this person. */
export function Devices() {
  return <WithClient>{(client) => <List client={client} />}</WithClient>;
}

function List({ client }: { readonly client: WebClient }) {
  const t = texts();
  const devices = useLoaded(() => client.installations());
  const [isKept, setKept] = useState<boolean>();
  useEffect(() => {
    // Browsers that ask people do so here, where it is explained.
    void navigator.storage.persist().then(setKept, () => setKept(false));
  }, []);
  return (
    <Screen title={t.devices} back="/">
      <ul class="list">
        {devices?.map(({ id, isThis, lastSeenNs }) => (
          <li key={id} class="row">
            <span class="avatar plain-avatar">
              <Icon name="device" />
            </span>
            <span class="row-text">
              <span class="row-name">{isThis ? t.thisBrowser : id.slice(0, 8)}</span>
              <span class="row-below">
                {lastSeenNs !== undefined && fill(t.lastSeen, { date: dateText(lastSeenNs) })}
              </span>
            </span>
          </li>
        ))}
      </ul>
      <section class="card">
        {devices?.length === 1 && <p>{t.onlyDevice}</p>}
        {isKept !== undefined && <p>{isKept ? t.keptForGood : t.mayBeDeleted}</p>}
        <p class="small">{t.deviceText}</p>
      </section>
      <Languages />
    </Screen>
  );
}
