import type { InviteView, WebClient, WebGroup } from "@latchkey/client/web";
import { useState } from "preact/hooks";
import { Code } from "../parts/code.tsx";
import { Screen } from "../parts/layout.tsx";
import { groupName, memberName } from "../parts/names.ts";
import { isSuper } from "../parts/roles.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import { WithClient } from "../parts/with-client.tsx";
import { count, dateText, fill, texts } from "../texts/index.ts";

const HOUR_NS = 3_600_000_000_000n;

/** How long an invite may be open, in hours; 0 for no end. */
const HOURS = [1, 24, 168, 720, 0] as const;

/** How many may be in by an invite; 0 for any number. */
const PLACES = [1, 5, 20, 100, 0] as const;

/** The invite of a group: make, show, print, replace and end it. */
export function Share({ id }: { readonly id: string }) {
  return <WithClient>{(client) => <Invite client={client} group={client.conversations.get(id)} />}</WithClient>;
}

function Invite({ client, group }: { readonly client: WebClient; readonly group: WebGroup }) {
  const t = texts();
  const [failure, setFailure] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const loaded = useLoaded(async () => {
    return { view: await group.view(), invite: await group.invite(), joins: await group.joins() };
  }, group.id);
  const { view, invite, joins = [] } = loaded ?? {};
  const isOwner = isSuper(view?.permission);
  const attempt = (action: () => Promise<unknown>): void => {
    setFailure(undefined);
    setBusy(true);
    action()
      .catch((error: unknown) => setFailure(error instanceof Error ? error.message : String(error)))
      .finally(() => setBusy(false));
  };
  return (
    <Screen title={t.invite} back={`/g/${group.id}`} class="share">
      {failure !== undefined && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      {invite !== undefined && <Shown invite={invite} name={groupName(view?.name)} />}
      {loaded !== undefined && invite === undefined && isOwner && (
        <Make isBusy={isBusy} make={(options) => attempt(() => group.createInvite(options))} />
      )}
      {invite !== undefined && isOwner && (
        <section class="card no-print">
          <div class="pair">
            <button type="button" disabled={isBusy} onClick={() => attempt(() => group.rotateInvite({ slot: true }))}>
              {t.rotate}
            </button>
            <button type="button" class="danger" disabled={isBusy} onClick={() => attempt(() => group.revokeInvite())}>
              {t.revoke}
            </button>
          </div>
          <p class="small">{t.rotateText}</p>
        </section>
      )}
      {invite !== undefined && (
        <section class="card no-print">
          <h2>{t.cameBy}</h2>
          {joins.length === 0 && <p class="small">{t.nobodyYet}</p>}
          <ul class="list">
            {joins.slice(-50).map(({ sequenceId, inboxId, admittedAtNs }) => (
              <li key={String(sequenceId)} class="row">
                <span class="row-text">{memberName(inboxId, client.inboxId)}</span>
                <time>{dateText(admittedAtNs)}</time>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Screen>
  );
}

interface MakeProps {
  readonly isBusy: boolean;
  readonly make: (options: { readonly maxUses?: number; readonly expiresAtNs?: bigint }) => void;
}

function Make({ isBusy, make }: MakeProps) {
  const t = texts();
  const [places, setPlaces] = useState(0);
  const [hours, setHours] = useState(168);
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        const expiresAtNs = BigInt(Date.now()) * 1_000_000n + BigInt(hours) * HOUR_NS;
        make({ ...(places > 0 && { maxUses: places }), ...(hours > 0 && { expiresAtNs }) });
      }}
    >
      <p>{t.inviteText}</p>
      <label for="places">{t.limit}</label>
      <select id="places" value={String(places)} onChange={(event) => setPlaces(Number(event.currentTarget.value))}>
        {PLACES.map((n) => (
          <option key={n} value={n}>
            {n === 0 ? t.noLimit : n}
          </option>
        ))}
      </select>
      <label for="hours">{t.validFor}</label>
      <select id="hours" value={String(hours)} onChange={(event) => setHours(Number(event.currentTarget.value))}>
        {HOURS.map((n) => (
          <option key={n} value={n}>
            {n === 0 ? t.forever : n < 24 ? count(t.hours, n) : count(t.days, n / 24)}
          </option>
        ))}
      </select>
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy ? t.loading : t.makeInvite}
      </button>
    </form>
  );
}

function Shown({ invite, name }: { readonly invite: InviteView; readonly name: string }) {
  const t = texts();
  const [isCopied, setCopied] = useState(false);
  const { url, opensAt, expiresAtNs, qr, uploadFailure } = invite;
  const canShare = "share" in navigator;
  return (
    <section class="card center poster">
      <h2 class="print-only" dir="auto">
        {name}
      </h2>
      <Code svg={qr} label={t.invite} />
      <p class="print-only">{t.posterText}</p>
      {expiresAtNs !== undefined && <p class="small">{fill(t.expires, { date: dateText(expiresAtNs) })}</p>}
      {uploadFailure !== undefined && <p class="warning no-print">{t.uploadFailed}</p>}
      <div class="pair no-print">
        <button
          type="button"
          class="primary"
          onClick={() => {
            void navigator.clipboard.writeText(url).then(() => setCopied(true));
          }}
        >
          {isCopied ? t.copied : t.copyLink}
        </button>
        {canShare && (
          <button type="button" onClick={() => void navigator.share({ title: name, url }).catch(() => undefined)}>
            {t.share}
          </button>
        )}
        <button type="button" onClick={() => globalThis.print()}>
          {t.print}
        </button>
      </div>
      <p class="small">{opensAt === undefined ? t.noPage : fill(t.whoCanRead, { host: opensAt })}</p>
    </section>
  );
}
